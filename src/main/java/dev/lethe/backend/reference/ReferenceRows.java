package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.Require;
import dev.lethe.backend.RowKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Selection of rows, one copy a row. */
final class ReferenceRows implements RowKernels {
  @Override
  public void gather(Tensor rows, Tensor x, Tensor y) {
    require("rows.gather", rows, x, "x", y, "y");
    long n = x.dim(-2);
    long m = rows.elements();
    Tensor from = x.reshape(x.shape().rows(), x.dim(-1));
    Tensor to = y.reshape(y.shape().rows(), y.dim(-1));
    for (long row = 0; row < to.dim(0); row++) {
      long direction = row / m;
      to.row(row).copyFrom(from.row(direction * n + (long) rows.get(row % m)));
    }
  }

  @Override
  public void scatter(Tensor rows, Tensor gy, Tensor gx) {
    require("rows.scatter", rows, gx, "gx", gy, "gy");
    long n = gx.dim(-2);
    long m = rows.elements();
    Tensor from = gy.reshape(gy.shape().rows(), gy.dim(-1));
    Tensor to = gx.reshape(gx.shape().rows(), gx.dim(-1));
    gx.segment().fill((byte) 0);
    for (long row = 0; row < from.dim(0); row++) {
      long direction = row / m;
      to.row(direction * n + (long) rows.get(row % m)).copyFrom(from.row(row));
    }
  }

  @Override
  public void addOuter(Tensor a, Tensor b, double scale, Tensor out) {
    Require.rank("rows.addOuter: a", a, 2);
    Require.rank("rows.addOuter: b", b, 2);
    Require.tensor("rows.addOuter: a", a, F64, a.dim(0), a.dim(1));
    Require.tensor("rows.addOuter: b", b, F64, a.dim(0), b.dim(1));
    Require.tensor("rows.addOuter: out", out, F64, a.dim(1), b.dim(1));
    Matrix.of(a).transposed().times(Matrix.of(b)).scaled(scale).addTo(out);
  }

  private static void require(
      String operation, Tensor rows, Tensor all, String allName, Tensor some, String someName) {
    Require.rank(operation + ": rows", rows, 1);
    Require.tensor(operation + ": rows", rows, DType.I32, rows.dim(0));
    Require.rank(operation + ": " + allName, all, 2, 3);
    Require.tensor(operation + ": " + allName, all, F64, all.shape().toArray());
    long[] dims = all.shape().toArray();
    dims[dims.length - 2] = rows.dim(0);
    Require.tensor(operation + ": " + someName, some, F64, dims);
    for (long i = 0; i < rows.elements(); i++) {
      Require.index(operation + ": rows", i, (long) rows.get(i), all.dim(-2));
      Require.that(
          i == 0 || rows.get(i - 1) < rows.get(i),
          operation + ": rows",
          "ascending indices without repeats",
          (long) rows.get(i) + " at position " + i);
    }
  }
}
