package dev.lethe.backend.cuda;

import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.Require;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Token embedding by kernels/rows.cu; an id beyond the table gives NaN. */
final class CudaEmbedding implements EmbeddingKernels {
  private final Cuda cuda;

  CudaEmbedding(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(FrozenEmbedding table, Tensor ids, Tensor y) {
    Tensor rows = CudaTable.of(table).table();
    Require.rank("embedding.forward: ids", ids, 1);
    long n = ids.dim(0);
    Require.tensor("embedding.forward: ids", ids, DType.I32, n);
    Require.tensor("embedding.forward: y", y, cuda.type(), n, table.width());
    cuda.kernel("rows_gather")
        .with(rows).with(ids).with(y).with(table.vocabulary()).with(n).with(table.width()).with(1)
        .run(cuda.warps(n));
  }
}
