package dev.lethe.curvature;

import dev.lethe.tensor.Tensor;

/**
 * A symmetric linear map C on parameter space, known by its products alone. Equal inputs give equal
 * bytes.
 */
public interface CurvatureOperator extends AutoCloseable {
  /** What it is, for reports: {@code ggn}, {@code hessian + 0.1 I}. */
  String name();

  /** Length of a vector, P. */
  long dimension();

  /**
   * out = C v for each of k vectors at once.
   *
   * @param v (k,P)
   * @param out (k,P), overwritten; must not be v
   */
  void apply(Tensor v, Tensor out);

  /** Vectors multiplied so far, parts of a product counted as their share. */
  long products();

  /** Gives back what the operator keeps; closing twice is harmless. */
  @Override
  void close();
}
