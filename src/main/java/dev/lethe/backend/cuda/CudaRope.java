package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Tensor;

/** Rotary position embedding by kernels/rope.cu; a position beyond the table gives NaN. */
final class CudaRope implements RopeKernels {
  private final Cuda cuda;

  CudaRope(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void rotate(Rotate call) {
    RopeTable table = call.table();
    Tensor x = call.x();
    long n = x.dim(-2);
    long width = x.dim(-1);
    long heads = width / table.headSize();
    float sign = call.back() ? -1 : 1;
    if (n > 0) {
      cuda.kernel("rope_rotate")
          .with(table.cos()).with(table.sin()).with(call.positions()).with(x).with(n).with(heads)
          .with(table.headSize()).with(table.pairs()).with(table.positions())
          .with(x.shape().rows() / n).with(x.stride()).with(sign)
          .run(cuda.blocks(n, heads * table.pairs(), Cuda.THREADS));
    }
  }
}
