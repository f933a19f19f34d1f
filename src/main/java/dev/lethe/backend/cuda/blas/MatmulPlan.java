package dev.lethe.backend.cuda.blas;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The descriptors of one {@link MatmulShape} and, once chosen, its algorithm. */
final class MatmulPlan implements AutoCloseable {
  private final CublasLt lt;
  private final MemorySegment algorithm;
  private final long operation;
  private final long left;
  private final long right;
  private final long result;
  private boolean possible;

  /**
   * @param arena of the algorithm
   */
  MatmulPlan(CublasLt lt, MatmulShape shape, Arena arena) {
    this.lt = lt;
    algorithm = arena.allocate(CublasLt.ALGORITHM_BYTES, Long.BYTES);
    int type = LibraryProducts.type(shape.type());
    int resultType = LibraryProducts.type(shape.resultType());
    operation = lt.createOperation(LibraryProducts.computeType(shape.type()), Vendor.CUDA_R_32F);
    lt.setOperation(operation, Vendor.CUBLASLT_MATMUL_DESC_TRANSA, code(shape.left()));
    lt.setOperation(operation, Vendor.CUBLASLT_MATMUL_DESC_TRANSB, code(shape.right()));
    left = layout(type, shape.n(), shape.k(), shape.left(), shape.batch());
    right = layout(type, shape.k(), shape.m(), shape.right(), shape.batch());
    result = layout(resultType, shape.n(), shape.m(), shape.result(), shape.batch());
  }

  private static int code(MatmulShape.Matrix matrix) {
    return matrix.transposed() ? Vendor.CUBLAS_OP_T : Vendor.CUBLAS_OP_N;
  }

  /** Rows and columns after transposition; the library wants those before it. */
  private long layout(
      int type, long rows, long columns, MatmulShape.Matrix matrix, int batch) {
    long layout =
        matrix.transposed()
            ? lt.createLayout(type, columns, rows, matrix.leadingDimension())
            : lt.createLayout(type, rows, columns, matrix.leadingDimension());
    if (batch > 1) {
      lt.setBatch(layout, batch, matrix.batchStride());
    }
    return layout;
  }

  void choose(byte[] chosen) {
    algorithm.copyFrom(MemorySegment.ofArray(chosen));
    possible = true;
  }

  /** Whether the library can do this product. */
  boolean possible() {
    return possible;
  }

  long operation() {
    return operation;
  }

  long left() {
    return left;
  }

  long right() {
    return right;
  }

  long result() {
    return result;
  }

  /** Address of the algorithm. */
  long algorithm() {
    return algorithm.address();
  }

  @Override
  public void close() {
    lt.destroyLayout(result);
    lt.destroyLayout(right);
    lt.destroyLayout(left);
    lt.destroyOperation(operation);
  }
}
