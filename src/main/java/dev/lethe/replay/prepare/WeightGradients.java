package dev.lethe.replay.prepare;

import dev.lethe.Text;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.curvature.DenseDecompositions.LowRank;
import dev.lethe.curvature.DenseDecompositions;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.replay.operator.BilinearTerm;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Sums of the loss's gradients by the full weights of the adapted layers, ∂ℓ/∂W = Σₜ ȳₜxₜᵀ (out,in). */
public final class WeightGradients implements AutoCloseable {
  private static final String X = "/x";
  private static final String GY = "/gy";
  private static final int PREFIX = "step-00000000".length();

  private final Backend backend;
  private final List<LoraLinear> layers;
  private final Scope scope;
  private final Map<Long, Tensor> sums = new HashMap<>();

  /** Zeros for the adapted layers, which are in the order of θ. */
  public WeightGradients(Backend backend, List<LoraLinear> layers) {
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
  public void add(Linearization at, double scale) {
    at.forEachAdapter(
        (slot, xa, u, h, gy) ->
            backend.run(new RowKernels.AddOuter(gy.row(0), xa, scale, sums.get(slot.aOffset()))));
  }

  /** The nearest sums of at most so many outer products, one for each layer, in host memory. */
  public List<BilinearTerm.Weight> lowRank(int rank) {
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
    return lowRank(dense, Math.toIntExact(slot.out()), Math.toIntExact(slot.in()), rank);
  }

  private static BilinearTerm.Weight lowRank(double[] dense, int out, int in, int rank) {
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

  /** Adds the tensors of a step to those of a file, in F32. */
  static void put(int step, List<BilinearTerm.Weight> weights, Map<String, Tensor> named) {
    for (int i = 0; i < weights.size(); i++) {
      named.put(name(step, i) + X, floats(weights.get(i).x()));
      named.put(name(step, i) + GY, floats(weights.get(i).gy()));
    }
  }

  /** The steps of a file, ascending. */
  static List<Integer> steps(SafeTensors file) {
    return file.names().stream()
        .filter(name -> name.endsWith(name(0, 0).substring(PREFIX) + X))
        .map(name -> Integer.parseInt(name.substring(5, PREFIX)))
        .sorted()
        .toList();
  }

  /** The gradients of a step of a file, views of it. */
  static List<BilinearTerm.Weight> get(SafeTensors file, int step, int layers) {
    return IntStream.range(0, layers)
        .mapToObj(
            i ->
                new BilinearTerm.Weight(
                    file.get(name(step, i) + X), file.get(name(step, i) + GY)))
        .toList();
  }

  private static String name(int step, int layer) {
    return Text.format("step-%08d/layer-%05d", step, layer);
  }

  /** The mean of several steps' gradients of one layer, at most of a rank. */
  static BilinearTerm.Weight mean(List<BilinearTerm.Weight> weights, int rank) {
    int in = (int) weights.getFirst().x().dim(1);
    int out = (int) weights.getFirst().gy().dim(1);
    double[] dense = new double[out * in];
    for (BilinearTerm.Weight weight : weights) {
      double[] x = weight.x().toDoubles();
      double[] gy = weight.gy().toDoubles();
      for (int t = 0; t < weight.x().dim(0); t++) {
        for (int i = 0; i < out; i++) {
          double y = gy[t * out + i] / weights.size();
          for (int j = 0; j < in; j++) {
            dense[i * in + j] += y * x[t * in + j];
          }
        }
      }
    }
    return lowRank(dense, out, in, rank);
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
