package dev.lethe.curvature;

import dev.lethe.tensor.Tensor;

/** A positive semi-definite curvature whose damped inverse is at hand. */
public interface InvertibleCurvature extends CurvatureOperator {
  /**
   * out = (C + λI)⁻¹ b for each of k vectors at once; with λ = 0 the pseudo-inverse.
   *
   * @param b (k,P)
   * @param damping λ ≥ 0
   * @param out (k,P), overwritten; must not be b
   */
  void applyInverse(Tensor b, double damping, Tensor out);
}
