package dev.lethe.solve;

import dev.lethe.Text;
import dev.lethe.tensor.Tensor;

/**
 * LiSSA with full batches: the Neumann series x ← x + α(b − (C+λI)x) with α = 1/λ_max, λ_max from
 * power iteration, so that no scale has to be tuned. Agarwal, Bullins and Hazan, arXiv 1602.03943;
 * Koh and Liang, arXiv 1703.04730.
 *
 * <p>Truncation is not neutral: J steps at rate α leave about the solution with the damping
 * enlarged by 1/(αJ), which {@link Solution#stop} reports.
 */
final class Lissa implements Solver {
  private static final int RATE = 0;
  private static final double HOPELESS = 1e3;

  @Override
  public String name() {
    return "lissa";
  }

  @Override
  public Solution solve(LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    try (SolveSession session = new SolveSession(name(), problem, options, monitor)) {
      return session.rhsNorm() == 0 ? session.zero() : run(session);
    }
  }

  private static Solution run(SolveSession s) {
    Tensor x = s.vector("x");
    Tensor r = s.vector("r");
    double[] scalars = s.scalars(1);
    if (!s.resume()) {
      Tensor v = s.scratch();
      double largest = PowerIteration.largest(s, s::product, v, r, s.options().seed());
      if (!(largest > 0)) {
        return s.finish(
            x,
            s.rhsNorm(),
            StopReason.NEGATIVE_CURVATURE,
            Text.format(
                "the eigenvalue of largest modulus is %.3g; use curvature ggn, a larger damping, or",
                largest)
                + " solver minres");
      }
      scalars[RATE] = 1 / largest;
      s.copy(s.problem().rhs(), r);
    }
    while (s.mayIterate()) {
      s.axpy(scalars[RATE], r, x);
      double norm = s.residual(x, r);
      boolean interrupted = s.endIteration(norm);
      if (s.withinTolerance(norm)) {
        return s.finish(
            x,
            norm,
            StopReason.CONVERGED,
            "residual within the tolerance" + cost(s, scalars[RATE]));
      }
      if (norm > HOPELESS * s.rhsNorm()) {
        return s.finish(
            x, norm, StopReason.DIVERGED,
            "the series diverges, so the operator has a negative eigenvalue; use curvature ggn, a"
                + " larger damping, or solver minres");
      }
      if (interrupted) {
        return s.interrupted(x);
      }
    }
    return s.finish(x, StopReason.MAX_ITERATIONS, "the series was cut" + cost(s, scalars[RATE]));
  }

  private static String cost(SolveSession s, double rate) {
    return Text.format(
        " after %d terms at rate %.3g, which acts like an extra damping of %.3g",
        s.iterations(), rate, 1 / (rate * s.iterations()));
  }
}
