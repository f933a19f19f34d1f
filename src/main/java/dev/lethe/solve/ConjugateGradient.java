package dev.lethe.solve;

import dev.lethe.Text;
import dev.lethe.tensor.Tensor;

/**
 * Conjugate gradients, for positive definite systems and for consistent semidefinite ones. Hestenes
 * and Stiefel 1952.
 *
 * <p>Where the recurrence says that the tolerance is reached, the residual is recomputed; if it is
 * not within the tolerance the iteration restarts from it, until restarts no longer lower it by a
 * quarter. Steps are collected between restarts ({@link SolveSession#absorb}), so that what is left in
 * the end is the rounding of x and of one product. A direction v with vᵀ(C+λI)v ≤ 0 ends the solve with {@link StopReason#NEGATIVE_CURVATURE} and the
 * last iterate.
 */
public final class ConjugateGradient implements Solver {
  private static final int RR = 0;
  private static final int VERIFIED = 1;
  private static final double WORTHWHILE = 0.75;

  @Override
  public String name() {
    return "cg";
  }

  @Override
  public Solution solve(LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    try (SolveSession session = new SolveSession(name(), problem, options, monitor)) {
      return session.rhsNorm() == 0 ? session.zero() : new Run(session).run();
    }
  }

  private static final class Run {
    private final SolveSession s;
    private final Tensor x;
    private final Tensor d;
    private final Tensor r;
    private final Tensor p;
    private final Tensor ap;
    private final double[] scalars;

    Run(SolveSession session) {
      s = session;
      x = s.vector("x");
      d = s.vector("d");
      r = s.vector("r");
      p = s.vector("p");
      ap = s.scratch();
      scalars = s.scalars(2);
      if (!s.resume()) {
        s.copy(s.problem().rhs(), r);
        s.copy(r, p);
        scalars[RR] = s.rhsNorm() * s.rhsNorm();
        scalars[VERIFIED] = s.rhsNorm();
      }
    }

    Solution run() {
      while (s.mayIterate()) {
        s.product(p, ap);
        double curvature = s.dot(p, ap);
        if (!(curvature > 0)) {
          s.absorb(d, x);
          return s.finish(x, StopReason.NEGATIVE_CURVATURE, negative(curvature));
        }
        double alpha = scalars[RR] / curvature;
        s.axpy(alpha, p, d);
        s.axpy(-alpha, ap, r);
        double norm = s.norm(r);
        boolean verify = s.worthVerifying(norm, scalars[VERIFIED]);
        if (verify) {
          s.absorb(d, x);
          norm = s.residual(x, r);
        }
        StopReason verdict = verify ? verdict(norm) : null;
        next(norm, verify);
        boolean interrupted = s.endIteration(norm);
        if (verdict != null) {
          return s.finish(x, norm, verdict, words(verdict));
        }
        if (interrupted) {
          s.absorb(d, x);
          return s.interrupted(x);
        }
      }
      s.absorb(d, x);
      return s.finish(
          x,
          StopReason.MAX_ITERATIONS,
          Text.format("reached the maximum of %d iterations", s.iterations()));
    }

    private StopReason verdict(double norm) {
      if (s.withinTolerance(norm)) {
        return StopReason.CONVERGED;
      }
      boolean better = norm <= WORTHWHILE * scalars[VERIFIED];
      scalars[VERIFIED] = norm;
      return better ? null : StopReason.STAGNATED;
    }

    private void next(double norm, boolean restart) {
      double rr = norm * norm;
      s.axpby(1, r, restart ? 0 : rr / scalars[RR], p);
      scalars[RR] = rr;
    }

    private String words(StopReason verdict) {
      return verdict == StopReason.CONVERGED
          ? Text.format("residual within the tolerance after %d iterations", s.iterations())
          : "rounding allows no smaller residual; use a larger damping or tolerance, or the"
              + " reference device";
    }

    private String negative(double curvature) {
      double size = s.dot(p, p);
      return Text.format(
          "negative curvature at iteration %d: vᵀ(C+λI)v = %.3g for vᵀv = %.3g; use a damping"
              + " above %.3g, curvature ggn, or solver minres",
          s.iterations() + 1,
          curvature,
          size,
          s.problem().damping() + Math.max(0,
          -curvature / size));
    }
  }
}
