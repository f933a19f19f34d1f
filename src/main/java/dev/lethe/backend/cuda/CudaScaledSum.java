package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.ScaledSumKernels;

/** y = c x + f by kernels/scaled_sum.cu. */
final class CudaScaledSum implements ScaledSumKernels {
  private final Cuda cuda;

  CudaScaledSum(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void apply(Apply call) {
    long n = call.x().elements();
    cuda.kernel("scaled_sum_apply")
        .with((float) call.c()).with(call.x()).with(call.f()).with(call.y()).with(n)
        .run(cuda.elements(n));
  }
}
