package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * y = c x + f, element by element: a residual without a norm after it, and embeddings that a family
 * scales. Linear, so that its other modes are sums of the same kind.
 */
public interface ScaledSumKernels {
  /** y = c x + f. */
  void apply(Apply call);

  /**
   * @param x (N,D) or (k,N,D)
   * @param f as x, or null: zero
   * @param y as x, out; may be the same tensor as x or f
   */
  record Apply(double c, Tensor x, Tensor f, Tensor y) implements KernelCall {
    @Override
    public String name() {
      return "scaledSum.apply";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2, 3);
      check.activation("x", x, x.shape().toArray());
      check.activationOrNull("f", f, x.shape().toArray());
      check.activation("y", y, x.shape().toArray());
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x, f, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.scaledSum().apply(this);
    }
  }
}
