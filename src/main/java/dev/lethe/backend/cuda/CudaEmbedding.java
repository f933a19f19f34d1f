package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.gemm.CudaBlocks;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.tensor.Tensor;

/** Token embedding by kernels/rows.cu, or blocks.cu for packed tables; an id beyond the table gives NaN. */
final class CudaEmbedding implements EmbeddingKernels {
  private final Cuda cuda;

  CudaEmbedding(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    Tensor rows = CudaTable.of(call.table()).table();
    if (rows.dtype().isBlocks()) {
      CudaBlocks.gather(cuda, rows, call.ids(), call.y());
      return;
    }
    long n = call.ids().dim(0);
    cuda.kernel("rows_gather")
        .with(rows).with(call.ids()).with(call.y()).with(call.table().vocabulary()).with(n)
        .with(call.table().width()).with(1)
        .run(cuda.warps(n));
  }
}
