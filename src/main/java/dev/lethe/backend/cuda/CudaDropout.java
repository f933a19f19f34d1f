package dev.lethe.backend.cuda;

import dev.lethe.backend.DropoutKernels;
import dev.lethe.tensor.Tensor;

/** Dropout by kernels/dropout.cu, with the mask of {@link DropoutKernels#keeps}. */
final class CudaDropout implements DropoutKernels {
  private final Cuda cuda;

  CudaDropout(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void apply(
      long seed, double probability, Tensor keys, Tensor x, Tensor y, boolean accumulate) {
    DropoutKernels.require(cuda.type(), probability, keys, x, y);
    long n = x.dim(-2);
    long width = x.dim(-1);
    long k = x.shape().rank() == 2 ? 1 : x.dim(0);
    cuda.kernel("dropout_apply")
        .with(x).with(y).with(keys).with(seed).with(threshold(probability))
        .with((float) (1 / (1 - probability))).with(accumulate ? 1 : 0).with(n).with(width).with(k)
        .run(cuda.elements(n * width));
  }

  /** The least 53-bit integer i with i·2⁻⁵³ ≥ probability; both the product and the ceiling are exact. */
  private static long threshold(double probability) {
    return (long) Math.ceil(probability * 0x1p53);
  }
}
