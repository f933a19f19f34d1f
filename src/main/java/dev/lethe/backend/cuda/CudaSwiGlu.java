package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.SwiGluKernels;

/** h = silu(a)∘b by kernels/swiglu.cu. */
final class CudaSwiGlu implements SwiGluKernels {
  private final Cuda cuda;

  CudaSwiGlu(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    long n = call.a().elements();
    cuda.kernel("swiglu_forward")
        .with(call.a()).with(call.b()).with(call.h()).with(n)
        .run(cuda.elements(n));
  }

  @Override
  public void tangent(Tangent call) {
    long k = call.dh().dim(0);
    long n = call.a().elements();
    cuda.kernel("swiglu_tangent")
        .with(call.a()).with(call.b()).with(call.da()).with(call.db()).with(call.dh()).with(n)
        .with(k)
        .run(cuda.elements(k * n));
  }

  @Override
  public void backward(Backward call) {
    long k = call.gh().dim(0);
    long n = call.a().elements();
    cuda.kernel("swiglu_backward")
        .with(call.a()).with(call.b()).with(call.gh()).with(call.ga()).with(call.gb()).with(n)
        .with(k)
        .run(cuda.elements(k * n));
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    long k = call.dga().dim(0);
    long n = call.a().elements();
    cuda.kernel("swiglu_backward_tangent")
        .with(call.a()).with(call.b()).with(call.gh()).with(call.da()).with(call.db())
        .with(call.dgh()).with(call.dga()).with(call.dgb()).with(n).with(k)
        .run(cuda.elements(k * n));
  }
}
