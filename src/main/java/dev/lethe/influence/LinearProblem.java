package dev.lethe.influence;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * The system (C + λI) x = b.
 *
 * @param backend where all vectors lie
 * @param curvature C
 * @param damping λ ≥ 0
 * @param rhs b (P)
 * @param owner the scope that the solution is allocated in
 */
public record LinearProblem(
    Backend backend, CurvatureOperator curvature, double damping, Tensor rhs, Scope owner) {
  public LinearProblem {
    DampedOperator.requireDamping(damping);
    if (rhs.shape().rank() != 1 || rhs.elements() != curvature.dimension()) {
      throw new IllegalArgumentException(
          "right-hand side %s for an operator of dimension %d"
              .formatted(rhs, curvature.dimension()));
    }
  }

  /** C + λI in words. */
  public String operatorName() {
    return DampedOperator.nameOf(curvature, damping);
  }
}
