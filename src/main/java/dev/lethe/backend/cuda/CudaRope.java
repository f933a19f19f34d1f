package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Rotary position embedding by kernels/rope.cu; a position beyond the table gives NaN. */
final class CudaRope implements RopeKernels {
  private final Cuda cuda;

  CudaRope(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void rotate(RopeTable table, Tensor positions, Tensor x, Tensor y) {
    turn("rope.rotate", table, positions, x, y, 1);
  }

  @Override
  public void rotateBack(RopeTable table, Tensor positions, Tensor x, Tensor y) {
    turn("rope.rotateBack", table, positions, x, y, -1);
  }

  private void turn(
      String operation, RopeTable table, Tensor positions, Tensor x, Tensor y, float sign) {
    Require.rank(operation + ": x", x, 2, 3);
    Require.tensor(operation + ": x", x, cuda.type(), x.shape().toArray());
    Require.tensor(operation + ": y", y, cuda.type(), x.shape().toArray());
    long n = x.dim(-2);
    long width = x.dim(-1);
    Require.tensor(operation + ": positions", positions, DType.I32, n);
    long half = table.headSize() / 2;
    Require.tensor(operation + ": cos", table.cos(), F32, table.positions(), half);
    Require.tensor(operation + ": sin", table.sin(), F32, table.positions(), half);
    Require.that(
        width % table.headSize() == 0,
        operation + ": width of x",
        "a multiple of the head size " + table.headSize(),
        x);
    if (n > 0) {
      cuda.kernel("rope_rotate")
          .with(table.cos()).with(table.sin()).with(positions).with(x).with(y)
          .with(n).with(width / table.headSize()).with(half).with(table.positions())
          .with(x.shape().rows() / n).with(sign)
          .run(cuda.blocks(n, width / 2, Cuda.THREADS));
    }
  }
}
