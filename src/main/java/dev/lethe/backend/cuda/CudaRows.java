package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.tensor.Tensor;

/** Rows by kernels/rows.cu, and their products; an index beyond them gathers NaN and scatters nothing. */
final class CudaRows implements RowKernels {
  private final Cuda cuda;

  CudaRows(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void gather(Gather call) {
    run("rows_gather", call.x(), call.rows(), call.y(), call.x(), call.rows().elements());
  }

  @Override
  public void scatter(Scatter call) {
    run("rows_scatter", call.gy(), call.rows(), call.gx(), call.gx(), call.gx().dim(-2));
  }

  @Override
  public void copyColumns(CopyColumns call) {
    long rows = call.to().shape().rows();
    cuda.kernel("rows_copy_columns")
        .with(call.from()).with(call.fromColumn()).with(call.from().dim(-1))
        .with(call.to()).with(call.toColumn()).with(call.to().dim(-1))
        .with(rows).with(call.width())
        .run(cuda.warps(rows));
  }

  @Override
  public void addOuter(AddOuter call) {
    long n = call.a().dim(0);
    long p = call.a().dim(1);
    long q = call.b().dim(1);
    if (n > 0) {
      Operand columns = Cuda.matrix(call.a()).transpose(); // (p,N)
      Product product =
          Product.of(p, q, n, call.scale(), columns, Cuda.matrix(call.b()), Cuda.matrix(call.out()))
              .added();
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
}
