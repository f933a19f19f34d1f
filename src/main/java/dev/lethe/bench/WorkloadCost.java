package dev.lethe.bench;

import dev.lethe.nn.Projection;
import dev.lethe.nn.TransformerSpec;
import dev.lethe.tensor.DType;
import java.util.EnumMap;
import java.util.Map;

/**
 * The least work of an operation, counted from the shapes: multiplications and additions of all matrix products, no recomputation
 * but that of attention's probabilities, which are never kept; and the bytes of weights, which each pass reads once. Norms,
 * softmax and other elementwise work are left out: a few operations an element.
 *
 * <p>A pass is a forward, a tangent, a backward or a backward tangent; each multiplies by every frozen weight once. Attention's
 * products of (T,T/2,head size) by pass: 2, 5, 5 and 12.
 */
public final class WorkloadCost {
  private static final Map<Operation, Passes> FIRST = new EnumMap<>(Operation.class);

  static {
    FIRST.put(Operation.FORWARD, new Passes(1, 1, 2));
    FIRST.put(Operation.GRAD, new Passes(2, 3, 7));
    FIRST.put(Operation.PER_SAMPLE, new Passes(2, 3, 7));
    FIRST.put(Operation.HVP, new Passes(4, 8, 24));
    FIRST.put(Operation.HVP_AGAIN, new Passes(2, 6, 17));
    FIRST.put(Operation.HVP_BLOCK, new Passes(2, 6, 17));
    FIRST.put(Operation.GGN, new Passes(3, 5, 12));
    FIRST.put(Operation.GGN_AGAIN, new Passes(2, 4, 10));
    FIRST.put(Operation.GGN_BLOCK, new Passes(2, 4, 10));
  }

  private final double frozen;
  private final double adapters;
  private final double attention;
  private final double weights;

  /**
   * The passes of an operation for one vector.
   *
   * @param frozen products by every frozen weight
   * @param adapters products by every adapter matrix or of its size
   * @param attention products of (T,T/2,head size) for each head
   */
  private record Passes(int frozen, int adapters, int attention) {}

  /** The costs of a workload's batch; every token but the first of a sample is supervised. */
  public WorkloadCost(Workload workload) {
    TransformerSpec spec = workload.spec();
    double tokens = (double) workload.batch() * workload.seq();
    double supervised = (double) workload.batch() * (workload.seq() - 1);
    double layer = 0;
    double pairs = 0;
    for (Projection p : Projection.values()) {
      layer += (double) spec.in(p) * spec.out(p);
      if (workload.targets().contains(target(spec, p))) {
        pairs += (double) workload.rank() * (spec.in(p) + spec.out(p));
      }
    }
    double head = (double) spec.hidden() * spec.vocabulary();
    frozen = 2 * (tokens * layer * spec.layers() + supervised * head);
    adapters = 2 * tokens * pairs * spec.layers();
    double causal = workload.seq() * (workload.seq() + 1.0) / 2;
    attention = 2 * causal * spec.queryWidth() * workload.batch() * spec.layers();
    weights = layer * spec.layers() + head;
  }

  private static String target(TransformerSpec spec, Projection p) {
    String module = spec.module(0, p);
    return module.substring(module.lastIndexOf('.') + 1);
  }

  /** Floating-point operations; a multiplication and an addition are two. */
  public double flops(Operation op, int vectors) {
    Passes passes = FIRST.get(op);
    double one =
        passes.frozen * frozen + passes.adapters * adapters + passes.attention * attention;
    return op.block() ? vectors * one : one;
  }

  /** Bytes of the frozen weights that the passes read, once each. */
  public double weightBytes(Operation op, DType type) {
    return FIRST.get(op).frozen * weights * type.bytes();
  }
}
