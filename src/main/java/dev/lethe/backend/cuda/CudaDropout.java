package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.DropoutKernels;

/** Dropout by kernels/dropout.cu, with the mask of {@link DropoutKernels#keeps}. */
final class CudaDropout implements DropoutKernels {
  private final Cuda cuda;

  CudaDropout(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void apply(Apply call) {
    long n = call.x().dim(-2);
    long width = call.x().dim(-1);
    long k = call.x().shape().rank() == 2 ? 1 : call.x().dim(0);
    cuda.kernel("dropout_apply")
        .with(call.x()).with(call.y()).with(call.keys()).with(call.seed())
        .with(threshold(call.probability())).with((float) (1 / (1 - call.probability())))
        .with(call.accumulate() ? 1 : 0).with(n).with(width).with(k)
        .run(cuda.elements(n * width));
  }

  /** The least 53-bit integer i with i·2⁻⁵³ ≥ probability; both the product and the ceiling are exact. */
  private static long threshold(double probability) {
    return (long) Math.ceil(probability * 0x1p53);
  }
}
