package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.LayerNormKernels;

/** Residual add and layer norm by kernels/layer_norm.cu. */
final class CudaLayerNorm implements LayerNormKernels {
  private static final int MOST_THREADS = 512;

  private final Cuda cuda;

  CudaLayerNorm(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    Primal p = call.p();
    if (p.rows() > 0) {
      cuda.kernel("layer_norm_forward")
          .with(p.w()).with(call.b()).with(call.x()).with(call.f())
          .with(call.f() == null ? null : p.s())
          .with(call.y()).with(p.mean()).with(p.r())
          .with(p.width()).with((float) call.epsilon())
          .run(grid(p));
    }
  }

  @Override
  public void tangent(Tangent call) {
    Primal p = call.p();
    if (p.rows() > 0) {
      kernel("layer_norm_tangent", p)
          .with(call.dx()).with(call.df()).with(call.ds()).with(call.dy())
          .with(p.rows()).with(p.width()).with(call.dy().dim(0))
          .run(grid(p));
    }
  }

  @Override
  public void backward(Backward call) {
    Primal p = call.p();
    if (p.rows() > 0) {
      kernel("layer_norm_backward", p)
          .with(call.gs()).with(call.gy()).with(call.gx())
          .with(p.rows()).with(p.width()).with(call.gx().dim(0))
          .run(grid(p));
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Primal p = call.p();
    if (p.rows() > 0) {
      kernel("layer_norm_backward_tangent", p)
          .with(call.gy()).with(call.ds()).with(call.dgs()).with(call.dgy()).with(call.dgx())
          .with(p.rows()).with(p.width()).with(call.dgx().dim(0))
          .run(grid(p));
    }
  }

  private Kernel kernel(String name, Primal p) {
    return cuda.kernel(name).with(p.w()).with(p.s()).with(p.mean()).with(p.r());
  }

  private Grid grid(Primal p) {
    return cuda.blocks(p.rows(), p.width(), MOST_THREADS);
  }
}
