package dev.lethe.backend.cuda.gemm;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.Tensor;
import java.util.Locale;

/** Expands weights that are packed in blocks by kernels/blocks.cu. */
public final class CudaBlocks {
  private CudaBlocks() {}

  /** All rows of (rows,width) blocks into y in activation format. */
  static void expand(Cuda cuda, Tensor blocks, Tensor y) {
    gather(cuda, blocks, null, y);
  }

  /**
   * Rows of blocks (V,width) into y (rows,width) in activation format; an id beyond the blocks gives NaN.
   *
   * @param ids I32 (rows); null: rows in order
   */
  public static void gather(Cuda cuda, Tensor blocks, Tensor ids, Tensor y) {
    cuda.kernel("expand_" + blocks.dtype().name().toLowerCase(Locale.ROOT))
        .with(blocks).with(ids).with(y).with(y.dim(0)).with(y.dim(1)).with(blocks.dim(0))
        .run(cuda.elements(y.elements()));
  }
}
