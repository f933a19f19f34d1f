package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * A frozen linear layer and the adapter on it.
 *
 * @param slot the adapter's place, or null where the layer has none
 */
public record LoraLinear(FrozenLinear weight, LoraSlot slot) {
  public boolean hasAdapter() {
    return slot != null;
  }

  /** Checks that the adapter has the weight's widths. */
  void requireFit(Arguments check) {
    check.that(
        slot.in() == weight.in() && slot.out() == weight.out(),
        "slot",
        "an adapter of " + weight.in() + " inputs and " + weight.out() + " outputs",
        slot);
  }

  /** Checks directions v (k,P). */
  void requireDirections(Arguments check, Tensor v, long k) {
    check.holding("v", slot, v, 2);
    check.that(v.dim(0) == k, "v", k + " rows", v);
  }

  /**
   * What a mode costs.
   *
   * @param rows of all directions
   * @param frozen whether it multiplies by the frozen weight
   * @param byA products by A or a matrix of its size
   * @param byB products by B or a matrix of its size
   * @param theta (P), of which only the slot's part counts
   * @param directions rows of v, which count likewise
   * @param others all other tensors
   */
  KernelCost cost(
      DType weights,
      long rows,
      boolean frozen,
      int byA,
      int byB,
      Tensor theta,
      long directions,
      KernelCost others) {
    double size = (double) weight.in() * weight.out();
    double flops = frozen ? 2 * rows * size : 0;
    double bytes = frozen ? size * weights.bytes() : 0;
    if (hasAdapter()) {
      flops += 2.0 * rows * slot.rank() * (byA * slot.in() + byB * slot.out());
      bytes += (1.0 + directions) * slot.parameters() * theta.dtype().bytes();
    }
    return others.plus(new KernelCost(flops, bytes));
  }
}
