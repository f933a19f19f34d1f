package dev.lethe.backend.cuda.blas;

import dev.lethe.tensor.DType;

/**
 * A row-major matrix in device memory, or a batch of them.
 *
 * @param address of its first element; aligned to the element only
 * @param type F32 or BF16
 * @param stride elements from one row to the next
 * @param transposed whether the product takes its transpose; {@code stride} stays that of the stored
 *     matrix
 * @param batchStride elements from one matrix of the batch to the next; 0: all are the same
 */
public record Operand(long address, DType type, long stride, boolean transposed, long batchStride) {
  /** One matrix, taken as it is stored. */
  public static Operand of(long address, DType type, long stride) {
    return new Operand(address, type, stride, false, 0);
  }

  /** The transpose of this one. */
  public Operand transpose() {
    return new Operand(address, type, stride, !transposed, batchStride);
  }

  /** A batch of matrices this many elements apart. */
  public Operand every(long elements) {
    return new Operand(address, type, stride, transposed, elements);
  }

  /** Whether the other one has this type and transposition. */
  boolean isLike(Operand other) {
    return type == other.type && transposed == other.transposed;
  }
}
