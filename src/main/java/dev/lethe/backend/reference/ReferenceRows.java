package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.tensor.Tensor;

/** Selection of rows and columns, one copy a row. */
final class ReferenceRows implements RowKernels {
  @Override
  public void gather(Gather call) {
    requireAscending(call, call.rows(), call.x().dim(-2));
    long n = call.x().dim(-2);
    long m = call.rows().elements();
    Tensor from = call.x().reshape(call.x().shape().rows(), call.x().dim(-1));
    Tensor to = call.y().reshape(call.y().shape().rows(), call.y().dim(-1));
    for (long row = 0; row < to.dim(0); row++) {
      long direction = row / m;
      to.row(row).copyFrom(from.row(direction * n + (long) call.rows().get(row % m)));
    }
  }

  @Override
  public void scatter(Scatter call) {
    requireAscending(call, call.rows(), call.gx().dim(-2));
    long n = call.gx().dim(-2);
    long m = call.rows().elements();
    Tensor from = call.gy().reshape(call.gy().shape().rows(), call.gy().dim(-1));
    Tensor to = call.gx().reshape(call.gx().shape().rows(), call.gx().dim(-1));
    call.gx().segment().fill((byte) 0);
    for (long row = 0; row < from.dim(0); row++) {
      long direction = row / m;
      to.row(direction * n + (long) call.rows().get(row % m)).copyFrom(from.row(row));
    }
  }

  @Override
  public void copyColumns(CopyColumns call) {
    Tensor from = call.from().reshape(call.from().shape().rows(), call.from().dim(-1));
    Tensor to = call.to().reshape(call.to().shape().rows(), call.to().dim(-1));
    for (long row = 0; row < to.dim(0); row++) {
      for (long j = 0; j < call.width(); j++) {
        to.row(row).set(call.toColumn() + j, from.row(row).get(call.fromColumn() + j));
      }
    }
  }

  @Override
  public void addOuter(AddOuter call) {
    DoubleMatrix.of(call.a())
        .transposed()
        .times(DoubleMatrix.of(call.b()))
        .scaled(call.scale())
        .addTo(call.out());
  }

  private static void requireAscending(KernelCall call, Tensor rows, long bound) {
    for (long i = 0; i < rows.elements(); i++) {
      long row = (long) rows.get(i);
      Require.index(call, "rows", i, row, bound);
      Require.ascends(call, "rows", i, i == 0 ? -1 : (long) rows.get(i - 1), row);
    }
  }
}
