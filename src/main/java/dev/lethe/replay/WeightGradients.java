package dev.lethe.replay;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.LoraSlot;
import dev.lethe.influence.DenseDecompositions;
import dev.lethe.influence.DenseDecompositions.LowRank;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Sums of the loss's gradients by the full weights of the adapted layers, ∂ℓ/∂W = Σₜ ȳₜxₜᵀ (out,in). */
final class WeightGradients implements AutoCloseable {
  private final Backend backend;
  private final List<LoraLinear> layers;
  private final Scope scope;
  private final Map<Long, Tensor> sums = new HashMap<>();

  /** Zeros for the adapted layers, which are in the order of θ. */
  WeightGradients(Backend backend, List<LoraLinear> layers) {
    this.backend = backend;
    this.layers = layers;
    this.scope = backend.openScope("weight gradients");
    for (LoraLinear layer : layers) {
      LoraSlot slot = layer.slot();
      Tensor sum = scope.allocate(backend.vectorType(), slot.out(), slot.in());
      backend.vectors().fill(sum, 0);
      sums.put(slot.aOffset(), sum);
    }
  }

  /** Adds scale times the gradient of the samples' summed losses. */
  void add(Linearization at, double scale) {
    at.forEachAdapter(
        (slot, xa, u, h, gy) ->
            backend.rows().addOuter(gy.row(0), xa, scale, sums.get(slot.aOffset())));
  }

  /** The nearest sums of at most so many outer products, one for each layer, in host memory. */
  List<BilinearTerm.Weight> lowRank(int rank) {
    List<double[]> dense = layers.stream().map(layer -> values(layer.slot())).toList();
    return IntStream.range(0, layers.size())
        .parallel()
        .mapToObj(i -> lowRank(dense.get(i), layers.get(i).slot(), rank))
        .toList();
  }

  private double[] values(LoraSlot slot) {
    Tensor sum = sums.get(slot.aOffset());
    double[] values = new double[Math.toIntExact(sum.elements())];
    backend.download(sum, Tensor.of(sum.shape(), values));
    return values;
  }

  private static BilinearTerm.Weight lowRank(double[] dense, LoraSlot slot, int rank) {
    int out = Math.toIntExact(slot.out());
    int in = Math.toIntExact(slot.in());
    LowRank found = DenseDecompositions.lowRank(dense, out, in, rank);
    double[] gy = new double[found.left().length];
    for (int i = 0; i < out; i++) {
      for (int t = 0; t < found.rank(); t++) {
        gy[t * out + i] = found.left()[i * found.rank() + t];
      }
    }
    return new BilinearTerm.Weight(
        Tensor.of(Shape.of(found.rank(), in), found.right()),
        Tensor.of(Shape.of(found.rank(), out), gy));
  }

  /** Tensors of a file, in F32. */
  static Map<String, Tensor> named(List<BilinearTerm.Weight> weights) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (int i = 0; i < weights.size(); i++) {
      named.put(input(i), floats(weights.get(i).x()));
      named.put(output(i), floats(weights.get(i).gy()));
    }
    return named;
  }

  static String input(int layer) {
    return "layer-%05d/x".formatted(layer);
  }

  static String output(int layer) {
    return "layer-%05d/gy".formatted(layer);
  }

  static Tensor floats(Tensor host) {
    if (host.dtype() == DType.F32) {
      return host;
    }
    Tensor copy = Tensor.of(host.shape(), new float[Math.toIntExact(host.elements())]);
    copy.copyFrom(host);
    return copy;
  }

  @Override
  public void close() {
    scope.close();
  }
}
