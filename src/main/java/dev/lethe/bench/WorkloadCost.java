package dev.lethe.bench;

import dev.lethe.backend.kernel.KernelCost;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * The least work of an operation, counted from the shapes. Operations are multiplications and additions of all matrix products, no
 * recomputation but that of attention's probabilities, which are never kept. Norms, softmax and other elementwise work are left
 * out: a few operations an element. Bytes are those of the frozen weights, read once a pass, and of what the linear layers read
 * and write, once a pass.
 *
 * <p>A pass is a forward, a tangent, a backward or a backward tangent; each multiplies by every frozen weight once, but below the
 * first adapters nothing has a tangent and nobody asks for adjoints. Attention's products of (T,T/2,head size) by pass: 2, 5, 5
 * and 12.
 */
public final class WorkloadCost {
  private static final Set<Projection> BOTTOM =
      EnumSet.of(Projection.QUERY, Projection.KEY, Projection.VALUE);
  private static final Map<Operation, Passes> PASSES = new EnumMap<>(Operation.class);

  static {
    PASSES.put(Operation.FORWARD, new Passes(1, 0, 1, 1, 0, new Attention(2, 0, 0)));
    PASSES.put(Operation.GRAD, new Passes(1, 1, 3, 3, 1, new Attention(7, 0, 0)));
    PASSES.put(Operation.PER_SAMPLE, new Passes(1, 1, 3, 3, 1, new Attention(7, 0, 0)));
    PASSES.put(Operation.HVP, new Passes(1, 3, 8, 8, 5, new Attention(24, 0, 3)));
    PASSES.put(Operation.HVP_AGAIN, new Passes(0, 2, 6, 6, 4, new Attention(17, 3, 3)));
    PASSES.put(Operation.HVP_BLOCK, new Passes(0, 2, 6, 6, 4, new Attention(17, 3, 3)));
    PASSES.put(Operation.GGN, new Passes(1, 2, 5, 5, 2, new Attention(12, 0, 1)));
    PASSES.put(Operation.GGN_AGAIN, new Passes(0, 2, 4, 4, 2, new Attention(10, 2, 1)));
    PASSES.put(Operation.GGN_BLOCK, new Passes(0, 2, 4, 4, 2, new Attention(10, 2, 1)));
  }

  private final Workload workload;
  private final TransformerSpec spec;
  private final double tokens;

  /**
   * The passes of an operation for one vector.
   *
   * @param whole passes through all layers: forwards
   * @param active passes through what depends on adapters only: the others
   * @param byA products by every A or a matrix of its size
   * @param byB products by every B or a matrix of its size
   * @param inputs how many of {@code byA} are with a tangent or an adjoint of the layer's input
   */
  private record Passes(
      int whole, int active, int byA, int byB, int inputs, Attention attention) {
    int all() {
      return whole + active;
    }
  }

  /**
   * Products of (T,T/2,head size) for each head.
   *
   * @param one for one vector
   * @param shared those of them that all vectors of a block share
   * @param ofKeys those of them with a tangent of the keys
   */
  private record Attention(int one, int shared, int ofKeys) {
    double of(int vectors, boolean keysMove) {
      double each = one - shared - (keysMove ? 0 : ofKeys);
      return shared + vectors * each;
    }
  }

  /** The costs of a workload's batch; all but the last token of a sample are read, each to tell the next. */
  public WorkloadCost(Workload workload) {
    this.workload = workload;
    spec = workload.spec();
    tokens = (double) workload.batch() * (workload.seq() - 1);
  }

  /** Operations, and bytes in a number format. */
  public KernelCost of(Operation op, int vectors, DType type) {
    return new KernelCost(flops(op, vectors), bytes(op, vectors, type));
  }

  /** Floating-point operations; a multiplication and an addition are two. */
  public double flops(Operation op, int vectors) {
    Passes passes = PASSES.get(op);
    int count = op.block() ? vectors : 1;
    double pairs = workload.batch() * (workload.seq() * (workload.seq() - 1.0) / 2);
    double linear = passes.all() * tokens * spec.hidden() * spec.vocabulary();
    double attention = 0;
    for (int layer = 0; layer < spec.layers(); layer++) {
      for (Projection p : spec.projections()) {
        linear += tokens * linear(passes, p, layer == 0 && BOTTOM.contains(p));
      }
      boolean keysMove = layer > 0 || adapted(Projection.KEY); // queries and values always do
      attention += passes.attention.of(count, keysMove) * pairs * spec.queryWidth();
    }
    return 2 * (count * linear + attention);
  }

  /** Multiplications of a linear layer for each token. */
  private double linear(Passes passes, Projection p, boolean bottom) {
    double in = spec.in(p);
    double out = spec.out(p);
    double frozen = in * out * (bottom ? passes.whole : passes.all());
    if (!adapted(p)) {
      return frozen;
    }
    double byA = bottom ? passes.byA - passes.inputs : passes.byA;
    return frozen + workload.rank() * (byA * in + passes.byB * out);
  }

  /** Bytes of weights, inputs and outputs of the linear layers; layers that read the same share their input. */
  public double bytes(Operation op, int vectors, DType type) {
    double layer =
        4.0 * spec.hidden()
            + 2.0 * spec.queryWidth()
            + 2.0 * spec.keyWidth()
            + 3.0 * spec.intermediate();
    double activations = tokens * layer * spec.layers() + tokens * spec.hidden();
    double each = PASSES.get(op).all() * activations * type.bytes();
    return weightBytes(op, type) + (op.block() ? vectors * each : each);
  }

  /** Bytes of the frozen weights that the passes read, once each. */
  public double weightBytes(Operation op, DType type) {
    double layer = 0;
    for (Projection p : spec.projections()) {
      layer += (double) spec.in(p) * spec.out(p);
    }
    double weights = layer * spec.layers() + (double) spec.hidden() * spec.vocabulary();
    return PASSES.get(op).all() * weights * type.bytes();
  }

  private boolean adapted(Projection p) {
    String module = spec.module(0, p);
    return workload.targets().contains(module.substring(module.lastIndexOf('.') + 1));
  }
}
