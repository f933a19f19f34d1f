package dev.lethe.replay.prepare;

import dev.lethe.autograd.AdapterVisitor;
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
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Sums of the loss's gradients by the full weights of the adapted layers, ∂ℓ/∂W = Σₜ ȳₜxₜᵀ (out,in): as x and ȳ of all
 * tokens where those take less memory.
 */
public final class WeightGradients implements AutoCloseable {
  private static final String X = "/x";
  private static final String GY = "/gy";
  private static final int PREFIX = "step-00000000".length();

  private final Backend backend;
  private final List<LoraLinear> layers;
  private final Scope scope;
  private final Map<Long, Sum> sums = new HashMap<>();

  /**
   * Zeros for the adapted layers.
   *
   * @param layers in the order of θ
   * @param tokens of all samples that are added
   */
  public WeightGradients(Backend backend, List<LoraLinear> layers, long tokens) {
    this.backend = backend;
    this.layers = layers;
    this.scope = backend.openScope("weight gradients");
    for (LoraLinear layer : layers) {
      LoraSlot slot = layer.slot();
      boolean apart = DenseDecompositions.smaller(tokens, slot.out(), slot.in());
      sums.put(slot.aOffset(), apart ? new Apart(slot, tokens) : new Whole(slot));
    }
  }

  /**
   * Adds scale times the gradient of the samples' summed losses, whose adjoints it is to be handed ({@link
   * Linearization#forEachAdapter}).
   */
  public AdapterVisitor adder(double scale) {
    return (slot, xa, u, h, gy) -> sums.get(slot.aOffset()).add(xa, gy.row(0), scale);
  }

  /** The nearest sums of at most so many outer products, one for each layer, in host memory. */
  public List<BilinearTerm.Weight> lowRank(int rank) {
    return layers.stream().parallel().map(layer -> sums.get(layer.slot().aOffset()).lowRank(rank)).toList();
  }

  private double[] values(Tensor onBackend) {
    double[] values = new double[Math.toIntExact(onBackend.elements())];
    backend.download(onBackend, Tensor.of(onBackend.shape(), values));
    return values;
  }

  /** Of one layer. */
  private interface Sum {
    /**
     * @param x (N,in)
     * @param gy (N,out)
     */
    void add(Tensor x, Tensor gy, double scale);

    BilinearTerm.Weight lowRank(int rank);
  }

  private final class Whole implements Sum {
    private final Tensor sum;

    Whole(LoraSlot slot) {
      sum = scope.allocate(backend.vectorType(), slot.out(), slot.in());
      backend.vectors().fill(sum, 0);
    }

    @Override
    public void add(Tensor x, Tensor gy, double scale) {
      backend.run(new RowKernels.AddOuter(gy, x, scale, sum));
    }

    @Override
    public BilinearTerm.Weight lowRank(int rank) {
      int out = (int) sum.dim(0);
      int in = (int) sum.dim(1);
      return weight(DenseDecompositions.lowRank(values(sum), out, in, rank), out, in);
    }
  }

  private final class Apart implements Sum {
    private final Tensor xs;
    private final Tensor gys;
    private final double[] scales;
    private int filled;

    Apart(LoraSlot slot, long tokens) {
      xs = scope.allocate(backend.activationType(), tokens, slot.in());
      gys = scope.allocate(backend.activationType(), tokens, slot.out());
      scales = new double[Math.toIntExact(tokens)];
    }

    @Override
    public void add(Tensor x, Tensor gy, double scale) {
      int n = Math.toIntExact(x.dim(0));
      copy(x, xs.slice(filled, n));
      copy(gy, gys.slice(filled, n));
      Arrays.fill(scales, filled, filled + n, scale);
      filled += n;
    }

    private void copy(Tensor from, Tensor to) {
      backend.run(new RowKernels.CopyColumns(from, 0, to, 0, to.dim(1)));
    }

    @Override
    public BilinearTerm.Weight lowRank(int rank) {
      int out = (int) gys.dim(1);
      int in = (int) xs.dim(1);
      double[] x = values(xs.slice(0, filled));
      double[] gy = values(gys.slice(0, filled));
      for (int i = 0; i < gy.length; i++) {
        gy[i] *= scales[i / out];
      }
      return weight(DenseDecompositions.lowRank(gy, x, out, in, rank), out, in);
    }
  }

  private static BilinearTerm.Weight weight(LowRank found, int out, int in) {
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
    String first = name(0, 0).substring(PREFIX) + X;
    return file.names().stream()
        .filter(name -> name.endsWith(first))
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
    return "step-" + padded(step, 8) + "/layer-" + padded(layer, 5);
  }

  private static String padded(int number, int digits) {
    String text = Integer.toString(number);
    return "0".repeat(Math.max(0, digits - text.length())) + text;
  }

  /** The mean of several steps' gradients of one layer, at most of a rank. */
  static BilinearTerm.Weight mean(List<BilinearTerm.Weight> weights, int rank) {
    int in = (int) weights.getFirst().x().dim(1);
    int out = (int) weights.getFirst().gy().dim(1);
    double[] x = joined(weights.stream().map(BilinearTerm.Weight::x).toList());
    double[] gy = joined(weights.stream().map(BilinearTerm.Weight::gy).toList());
    for (int i = 0; i < gy.length; i++) {
      gy[i] /= weights.size();
    }
    return weight(DenseDecompositions.lowRank(gy, x, out, in, rank), out, in);
  }

  private static double[] joined(List<Tensor> parts) {
    return parts.stream().flatMapToDouble(part -> Arrays.stream(part.toDoubles())).toArray();
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
