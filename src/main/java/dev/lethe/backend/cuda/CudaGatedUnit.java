package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.GatedUnitKernels;
import java.util.Locale;

/** h = f(a)∘b by kernels/gated_unit.cu. */
final class CudaGatedUnit implements GatedUnitKernels {
  private final Cuda cuda;

  CudaGatedUnit(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    long n = call.p().a().elements();
    kernel("forward", call.p()).with(call.h()).with(n).run(cuda.elements(n));
  }

  @Override
  public void tangent(Tangent call) {
    long k = call.dh().dim(0);
    long n = call.p().a().elements();
    kernel("tangent", call.p())
        .with(call.da()).with(call.db()).with(call.dh()).with(n).with(k)
        .run(cuda.elements(k * n));
  }

  @Override
  public void backward(Backward call) {
    long k = call.gh().dim(0);
    long n = call.p().a().elements();
    kernel("backward", call.p())
        .with(call.gh()).with(call.ga()).with(call.gb()).with(n).with(k)
        .run(cuda.elements(k * n));
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    long k = call.dga().dim(0);
    long n = call.p().a().elements();
    kernel("backward_tangent", call.p())
        .with(call.gh()).with(call.da()).with(call.db())
        .with(call.dgh()).with(call.dga()).with(call.dgb()).with(n).with(k)
        .run(cuda.elements(k * n));
  }

  private Kernel kernel(String mode, Primal p) {
    return cuda.kernel("gated_" + mode + "_" + p.f().name().toLowerCase(Locale.ROOT))
        .with(p.a())
        .with(p.b());
  }
}
