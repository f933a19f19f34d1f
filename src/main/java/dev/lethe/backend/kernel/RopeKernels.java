package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Rotary position embedding in the half-split form of Hugging Face's Llama: element j of a head turns
 * with element j + pairs, and what comes after the pairs stays. A rotation is linear and orthogonal, so
 * turning forward is both forward and tangent, and turning back both backward and backward tangent. Su et
 * al., arXiv 2104.09864.
 */
public interface RopeKernels {
  /** Turns every head of every row in place by the angles of the row's position, or by their opposites. */
  void rotate(Rotate call);

  /**
   * @param positions I32 (N)
   * @param x (k,N,heads·headSize) or (N,heads·headSize), in and out
   * @param back whether to turn back
   */
  record Rotate(RopeTable table, Tensor positions, Tensor x, boolean back)
      implements KernelCall {
    @Override
    public String name() {
      return back ? "rope.rotateBack" : "rope.rotate";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2, 3);
      check.columns("x", x, x.shape().toArray());
      check.integers("positions", positions, x.dim(-2));
      check.vector("cos", table.cos(), table.positions(), table.pairs());
      check.vector("sin", table.sin(), table.positions(), table.pairs());
      if (2 * table.pairs() > table.headSize()) {
        check.that(false, "cos", "at most half of a head of " + table.headSize(), table.cos());
      }
      if (x.dim(-1) % table.headSize() != 0) {
        check.that(false, "width of x", "a multiple of the head size " + table.headSize(), x);
      }
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, positions, x);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rope().rotate(this);
    }
  }
}
