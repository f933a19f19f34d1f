package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/**
 * One matrix D (p,q) of θ and orthonormal vectors on both of its sides: D ↦ LᵀDR (a,b).
 *
 * @param offset elements before it in θ
 * @param rows p
 * @param columns q
 * @param left L (p,a) in host memory, a vector a column; null for the standard basis
 * @param right R (q,b) in host memory, likewise
 */
public record EkfacBlock(long offset, long rows, long columns, Tensor left, Tensor right) {
  public EkfacBlock {
    requireSide("left", left, rows);
    requireSide("right", right, columns);
  }

  private static void requireSide(String side, Tensor vectors, long size) {
    if (vectors != null && (vectors.dim(0) != size || vectors.dim(1) > size)) {
      throw new ArgumentException(Text.format("%s vectors %s of a side of %d", side, vectors, size));
    }
  }

  /** (p,q). */
  Shape matrix() {
    return Shape.of(rows, columns);
  }

  /** (a,b). */
  Shape coordinates() {
    return Shape.of(left == null ? rows : left.dim(1), right == null ? columns : right.dim(1));
  }

  /** Whether D has more rows than columns, and vectors on both sides. */
  boolean tall() {
    return rows > columns && left != null && right != null;
  }
}
