package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.tensor.Tensor;

/**
 * One matrix D (p,q) of θ and the orthonormal bases in which its curvature is taken to be diagonal: D ↦ LᵀDR.
 *
 * @param offset elements before it in θ
 * @param rows p
 * @param columns q
 * @param left L (p,p) in host memory, a basis vector a column; null for the standard basis
 * @param right R (q,q) in host memory, likewise
 */
public record EkfacBlock(long offset, long rows, long columns, Tensor left, Tensor right) {
  public EkfacBlock {
    requireSquare("left", left, rows);
    requireSquare("right", right, columns);
  }

  private static void requireSquare(String side, Tensor basis, long size) {
    if (basis != null && !basis.shape().hasSizes(size, size)) {
      throw new ArgumentException(
          Text.format("%s basis %s of a side of %d", side, basis, size));
    }
  }
}
