package dev.lethe.backend.cuda;

import dev.lethe.ArgumentException;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.tensor.Tensor;

/**
 * A frozen embedding table in device memory.
 *
 * @param table (V,D) in activation format, or packed in blocks as it came
 */
record CudaTable(Tensor table) implements FrozenEmbedding {
  @Override
  public long vocabulary() {
    return table.dim(0);
  }

  @Override
  public long width() {
    return table.dim(1);
  }

  static CudaTable of(FrozenEmbedding table) {
    if (table instanceof CudaTable ours) {
      return ours;
    }
    throw new ArgumentException(
        "table: expected one frozen by the cuda backend, got " + table.getClass().getName());
  }
}
