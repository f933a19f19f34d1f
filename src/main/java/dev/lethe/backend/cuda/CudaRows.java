package dev.lethe.backend.cuda;

import dev.lethe.backend.Require;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Rows by kernels/rows.cu, and their products; an index beyond them gathers NaN and scatters nothing. */
final class CudaRows implements RowKernels {
  private final Cuda cuda;

  CudaRows(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void gather(Tensor rows, Tensor x, Tensor y) {
    require("rows.gather", rows, x, "x", y, "y");
    run("rows_gather", x, rows, y, x, rows.elements());
  }

  @Override
  public void scatter(Tensor rows, Tensor gy, Tensor gx) {
    require("rows.scatter", rows, gx, "gx", gy, "gy");
    run("rows_scatter", gy, rows, gx, gx, gx.dim(-2));
  }

  @Override
  public void addOuter(Tensor a, Tensor b, double scale, Tensor out) {
    Require.rank("rows.addOuter: a", a, 2);
    Require.rank("rows.addOuter: b", b, 2);
    long n = a.dim(0);
    long p = a.dim(1);
    long q = b.dim(1);
    Require.tensor("rows.addOuter: a", a, cuda.type(), n, p);
    Require.tensor("rows.addOuter: b", b, cuda.type(), n, q);
    Require.tensor("rows.addOuter: out", out, DType.F32, p, q);
    if (n > 0) {
      Operand columns = Cuda.matrix(a).transpose(); // (p,N)
      Product product =
          Product.of(p, q, n, scale, columns, Cuda.matrix(b), Cuda.matrix(out)).added();
      cuda.products().multiply(product);
    }
  }

  /** With a warp for each row of one direction's result. */
  private void run(String kernel, Tensor from, Tensor rows, Tensor to, Tensor all, long resultRows) {
    long k = all.shape().rank() == 2 ? 1 : all.dim(0);
    cuda.kernel(kernel)
        .with(from).with(rows).with(to)
        .with(all.dim(-2)).with(rows.elements()).with(all.dim(-1)).with(k)
        .run(cuda.warps(resultRows));
  }

  private void require(
      String operation, Tensor rows, Tensor all, String allName, Tensor some, String someName) {
    Require.rank(operation + ": rows", rows, 1);
    Require.tensor(operation + ": rows", rows, DType.I32, rows.dim(0));
    Require.rank(operation + ": " + allName, all, 2, 3);
    Require.tensor(operation + ": " + allName, all, cuda.type(), all.shape().toArray());
    long[] dims = all.shape().toArray();
    dims[dims.length - 2] = rows.dim(0);
    Require.tensor(operation + ": " + someName, some, cuda.type(), dims);
  }
}
