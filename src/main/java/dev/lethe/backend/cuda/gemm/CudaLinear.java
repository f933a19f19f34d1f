package dev.lethe.backend.cuda.gemm;

import dev.lethe.ArgumentException;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Tensor;

/**
 * A frozen weight in device memory, one copy for both directions.
 *
 * @param weight (out,in) in activation format, or packed in blocks as it came
 * @param bias (out) in activation format, or null
 * @param transposed whether the caller asked for the backward product
 * @param stack the matrix that the weight is rows of, with a border to the right and below; null: it is alone
 */
public record CudaLinear(Tensor weight, Tensor bias, boolean transposed, Tensor stack) implements FrozenLinear {
  /**
   * Columns and rows around a stack of weights, for the pairs of its layers: θ's and a direction's of three layers of
   * rank 21, or of one of rank 64. 6 % of a weight of 2048 by 2048.
   */
  public static final long BORDER = 128;

  /** A weight that stands alone. */
  public CudaLinear(Tensor weight, Tensor bias, boolean transposed) {
    this(weight, bias, transposed, null);
  }

  @Override
  public long in() {
    return weight.dim(1);
  }

  @Override
  public long out() {
    return weight.dim(0);
  }

  public static CudaLinear of(FrozenLinear weight) {
    if (weight instanceof CudaLinear linear) {
      return linear;
    }
    throw new ArgumentException(
        "weight: expected one frozen by the cuda backend, got " + weight.getClass().getName());
  }
}
