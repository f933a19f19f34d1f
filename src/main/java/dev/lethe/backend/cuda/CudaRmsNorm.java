package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.tensor.Tensor;

/** Residual add and root-mean-square norm by kernels/rms_norm.cu. */
final class CudaRmsNorm implements RmsNormKernels {
  private static final int MOST_THREADS = 512;

  private final Cuda cuda;

  CudaRmsNorm(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    long n = call.x().dim(0);
    long d = call.x().dim(1);
    if (n > 0) {
      cuda.kernel("rms_norm_forward")
          .with(call.w()).with(call.x()).with(call.f()).with(call.s()).with(call.y()).with(call.r())
          .with(d).with(call.y().stride()).with((float) call.epsilon())
          .run(grid(n, d));
    }
  }

  @Override
  public void tangent(Tangent call) {
    Primal p = call.p();
    Rows rows = Rows.of(p, call.dy());
    if (rows.n > 0) {
      cuda.kernel("rms_norm_tangent")
          .with(p.w()).with(p.s()).with(p.r()).with(call.dx()).with(call.df()).with(call.ds())
          .with(call.dy()).with(rows.n).with(rows.d).with(rows.k).with(call.dy().stride())
          .run(grid(rows.n, rows.d));
    }
  }

  @Override
  public void backward(Backward call) {
    Primal p = call.p();
    Rows rows = Rows.of(p, call.gx());
    if (rows.n > 0) {
      cuda.kernel("rms_norm_backward")
          .with(p.w()).with(p.s()).with(p.r()).with(call.gs()).with(call.gy()).with(call.gx())
          .with(rows.n).with(rows.d).with(rows.k)
          .with(Cuda.strideOrZero(call.gs())).with(call.gx().stride())
          .run(grid(rows.n, rows.d));
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Primal p = call.p();
    Rows rows = Rows.of(p, call.dgx());
    if (rows.n > 0) {
      cuda.kernel("rms_norm_backward_tangent")
          .with(p.w()).with(p.s()).with(p.r()).with(call.gy()).with(call.ds()).with(call.dgs())
          .with(call.dgy()).with(call.dgx()).with(rows.n).with(rows.d).with(rows.k)
          .with(Cuda.strideOrZero(call.dgs())).with(call.dgx().stride())
          .run(grid(rows.n, rows.d));
    }
  }

  private Grid grid(long n, long d) {
    return cuda.blocks(n, d, MOST_THREADS);
  }

  private record Rows(long k, long n, long d) {
    /** Of a call whose output is (k,N,D). */
    static Rows of(Primal p, Tensor out) {
      return new Rows(out.dim(0), p.s().dim(0), p.s().dim(1));
    }
  }
}
