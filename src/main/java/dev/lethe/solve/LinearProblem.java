package dev.lethe.solve;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DampedOperator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * The system (C + λI) x = b, or several with the same operator.
 *
 * @param backend where all vectors lie
 * @param curvature C
 * @param damping λ ≥ 0
 * @param rhs b (P); for {@link Solver#solveAll} a right-hand side a row, (m,P)
 * @param owner the scope that the solution is allocated in
 */
public record LinearProblem(
    Backend backend, CurvatureOperator curvature, double damping, Tensor rhs, Scope owner) {
  public LinearProblem {
    DampedOperator.requireDamping(damping);
    if (rhs.shape().rank() > 2 || rhs.dim(-1) != curvature.dimension()) {
      throw new ArgumentException(
          Text.format("right-hand side %s for an operator of dimension %d", rhs, curvature.dimension()));
    }
  }

  /** C + λI in words. */
  public String operatorName() {
    return DampedOperator.nameOf(curvature, damping);
  }

  /** How many right-hand sides there are. */
  public int systems() {
    return rhs.shape().rank() == 1 ? 1 : Math.toIntExact(rhs.dim(0));
  }

  /** The system of one right-hand side, rhs (P). */
  public LinearProblem system(int index) {
    Tensor b = rhs.shape().rank() == 1 ? rhs : rhs.row(index);
    return new LinearProblem(backend, curvature, damping, b, owner);
  }
}
