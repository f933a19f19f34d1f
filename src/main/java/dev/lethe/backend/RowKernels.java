package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Selection of rows, and sums over them. {@link #gather} is both forward and tangent, {@link #scatter} both
 * backward and backward tangent.
 */
public interface RowKernels {
  /**
   * y[j] = x[rows[j]].
   *
   * @param rows I32 (M), ascending, without repeats
   * @param x (N,D) or (k,N,D)
   * @param y (M,D) or (k,M,D) out
   */
  void gather(Tensor rows, Tensor x, Tensor y);

  /**
   * x̄[rows[j]] = ȳ[j], zero elsewhere.
   *
   * @param gy (M,D) or (k,M,D)
   * @param gx (N,D) or (k,N,D) out
   */
  void scatter(Tensor rows, Tensor gy, Tensor gx);

  /**
   * Adds scale·aᵀb, the sum of the outer products of rows, to out.
   *
   * @param a (N,p) in activation format
   * @param b (N,q) in activation format
   * @param out (p,q) in vector format, added to
   */
  void addOuter(Tensor a, Tensor b, double scale, Tensor out);
}
