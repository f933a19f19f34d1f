package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.tensor.Tensor;
import java.util.Locale;

/** h = f(a)∘b by kernels/gated_unit.cu. */
final class CudaGatedUnit implements GatedUnitKernels {
  private final Cuda cuda;

  CudaGatedUnit(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    run(kernel("forward", call.p()).with(call.h()), call.p(), 1, call.h(), null);
  }

  @Override
  public void tangent(Tangent call) {
    Primal p = call.p();
    requireAsPrimal("da", call.da(), p);
    requireAsPrimal("db", call.db(), p);
    Kernel kernel = kernel("tangent", p).with(call.da()).with(call.db()).with(call.dh());
    run(kernel, p, call.dh().dim(0), call.dh(), null);
  }

  @Override
  public void backward(Backward call) {
    Kernel kernel = kernel("backward", call.p()).with(call.gh()).with(call.ga()).with(call.gb());
    requireAsAdjoint(call.gb(), call.ga());
    run(kernel, call.p(), call.gh().dim(0), null, call.ga());
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Primal p = call.p();
    requireAsPrimal("da", call.da(), p);
    requireAsPrimal("db", call.db(), p);
    requireAsAdjoint(call.dgb(), call.dga());
    Kernel kernel =
        kernel("backward_tangent", p)
            .with(call.gh()).with(call.da()).with(call.db()).with(call.dgh()).with(call.dga()).with(call.dgb());
    run(kernel, p, call.dga().dim(0), null, call.dga());
  }

  private Kernel kernel(String mode, Primal p) {
    requireAsPrimal("b", p.b(), p);
    return cuda.kernel("gated_" + mode + "_" + p.f().name().toLowerCase(Locale.ROOT))
        .with(p.a())
        .with(p.b());
  }

  /** With the strides of h or its tangent, and of the adjoints of a and b; null: of none. */
  private void run(Kernel kernel, Primal p, long k, Tensor unit, Tensor adjoints) {
    long rows = p.a().dim(0);
    long width = p.a().dim(1);
    if (rows > 0) {
      kernel
          .with(rows).with(width).with(k).with(p.a().stride())
          .with(Cuda.strideOrZero(unit)).with(Cuda.strideOrZero(adjoints))
          .run(cuda.piecesOfRows(rows, width));
    }
  }

  private static void requireAsPrimal(String what, Tensor tensor, Primal p) {
    Cuda.requireStride("gatedUnit: " + what, tensor, p.a());
  }

  private static void requireAsAdjoint(Tensor ofB, Tensor ofA) {
    Cuda.requireStride("gatedUnit: adjoint of b", ofB, ofA);
  }
}
