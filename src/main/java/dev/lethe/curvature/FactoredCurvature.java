package dev.lethe.curvature;

import dev.lethe.tensor.Tensor;

/**
 * A curvature of low rank, C = scale · GᵀG with few rows G (m,P), for example the empirical Fisher
 * matrix whose rows are per-sample gradients. Where {@link #factorRows} is 0 the curvature has no
 * such factor.
 */
public interface FactoredCurvature extends CurvatureOperator {
  /** Rows of G, m; 0 where there is no factor at hand. */
  int factorRows();

  /** The factor in C = scale · GᵀG. */
  double factorScale();

  /** Rows {@code first … first+k-1} of G into out (k,P). */
  void factorRows(int first, Tensor out);

  /** v Gᵀ: v (k,P), dots (k,m) overwritten. */
  void factorDots(Tensor v, Tensor dots);

  /** out += weights G: weights (k,m), out (k,P). */
  void addFactorCombination(Tensor weights, Tensor out);
}
