package dev.lethe.backend.cuda.lora;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * Columns of a matrix from its first on, as tensors are found to be them one after another.
 *
 * @param whole the matrix (N,W) or (k,N,W); null: there is none
 * @param next the column behind the tensors found
 * @param found whether each was where it should be
 */
public record Columns(Tensor whole, long next, boolean found) {
  static Columns of(Tensor whole) {
    return new Columns(whole, 0, whole != null);
  }

  /** Whether tensors are columns one beside the other of one matrix, whatever that is. */
  static boolean adjacent(List<Tensor> tensors) {
    Tensor first = tensors.getFirst();
    Columns all = new Columns(first, 0, true).takeAll(tensors);
    return all.found && all.next <= first.stride();
  }

  /** Whether two tensors are one, or both null. */
  static boolean same(Tensor a, Tensor b) {
    if (a == null || b == null) {
      return a == b;
    }
    return Cuda.address(a) == Cuda.address(b) && a.stride() == b.stride() && a.shape().equals(b.shape());
  }

  /** With a tensor as the next columns; null has none. */
  Columns take(Tensor tensor) {
    if (tensor == null || !found) {
      return this;
    }
    boolean here =
        Cuda.address(tensor) == Cuda.address(whole) + next * whole.dtype().bytes()
            && tensor.stride() == whole.stride()
            && tensor.shape().rows() == whole.shape().rows();
    return new Columns(whole, next + tensor.dim(-1), here);
  }

  Columns takeAll(List<Tensor> tensors) {
    Columns columns = this;
    for (Tensor tensor : tensors) {
      columns = columns.take(tensor);
    }
    return columns;
  }

  /** With columns that no tensor stands for. */
  Columns skip(long count) {
    return new Columns(whole, next + count, found);
  }

  /** Whether all tensors were there, and so many columns are behind them. */
  boolean fits(long spare) {
    return found && next + spare <= whole.dim(-1);
  }

  /** The matrix from a column on. */
  Operand from(long column) {
    Operand all = Cuda.matrix(whole);
    Operand part = Operand.of(all.address() + column * whole.dtype().bytes(), all.type(), all.stride());
    return part.every(all.batchStride());
  }

  /** Copies the first columns of other rows to a column of these. */
  void copy(Cuda cuda, Tensor from, long column, long width) {
    long rows = whole.shape().rows();
    cuda.kernel("rows_copy_columns")
        .with(from).with(0).with(from.stride())
        .with(whole).with(column).with(whole.stride())
        .with(rows).with(width)
        .run(cuda.warps(rows));
  }
}
