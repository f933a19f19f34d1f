package dev.lethe.solve;

import dev.lethe.Text;
import dev.lethe.tensor.Tensor;

/**
 * MINRES, for symmetric systems of any sign: the exact Hessian away from a minimum. Paige and
 * Saunders, SIAM J. Numer. Anal. 12 (1975) 617; variables as in their notation.
 *
 * <p>The residual is recomputed where the recurrence says that the tolerance is reached, and the
 * Lanczos process restarts from it where it is not. Without damping, a right-hand side with a part
 * outside the range of C ends with {@link StopReason#STAGNATED} at a least-squares solution.
 */
final class Minres implements Solver {
  private static final int BETA = 0;
  private static final int OLD_BETA = 1;
  private static final int DBAR = 2;
  private static final int EPSLN = 3;
  private static final int PHIBAR = 4;
  private static final int CS = 5;
  private static final int SN = 6;
  private static final int NORM2 = 7;
  private static final int VERIFIED = 8;
  private static final int SCALARS = 9;
  private static final double WORTHWHILE = 0.75;

  @Override
  public String name() {
    return "minres";
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
    private final Tensor r1;
    private final Tensor r2;
    private final Tensor w1;
    private final Tensor w2;
    private final Tensor v;
    private final Tensor y;
    private final double[] c;
    private final double flat;

    Run(SolveSession session) {
      s = session;
      x = s.vector("x");
      d = s.vector("d");
      r1 = s.vector("r1");
      r2 = s.vector("r2");
      w1 = s.vector("w1");
      w2 = s.vector("w2");
      v = s.scratch();
      y = s.scratch();
      c = s.scalars(SCALARS);
      double noise = s.epsilon();
      flat =
          s.problem().damping() > 0
              ? noise
              : Math.max(Math.sqrt(noise), s.options().tolerance());
      if (!s.resume()) {
        s.copy(s.problem().rhs(), r2);
        begin(s.rhsNorm());
        c[VERIFIED] = s.rhsNorm();
      }
    }

    /** Starts a Lanczos process from the residual in r2. */
    private void begin(double norm) {
      s.fill(r1, 0);
      s.fill(w1, 0);
      s.fill(w2, 0);
      c[BETA] = norm;
      c[OLD_BETA] = 0;
      c[DBAR] = 0;
      c[EPSLN] = 0;
      c[PHIBAR] = norm;
      c[CS] = -1;
      c[SN] = 0;
    }

    Solution run() {
      while (s.mayIterate()) {
        boolean atLeastSquares = rotate(lanczos());
        double norm = c[PHIBAR];
        boolean verify = s.worthVerifying(norm, c[VERIFIED]) || atLeastSquares;
        StopReason verdict = null;
        if (verify) {
          s.absorb(d, x);
          norm = s.residual(x, y);
          verdict = verdict(norm, atLeastSquares);
          s.copy(y, r2);
          begin(norm);
        }
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

    /** One Lanczos step: v, the next residual pair and β; returns α. */
    private double lanczos() {
      s.copy(r2, v);
      s.scale(1 / c[BETA], v);
      s.product(v, y);
      if (c[OLD_BETA] != 0) {
        s.axpy(-c[BETA] / c[OLD_BETA], r1, y);
      }
      double alpha = s.dot(v, y);
      s.axpy(-alpha / c[BETA], r2, y);
      s.copy(r2, r1);
      s.copy(y, r2);
      c[OLD_BETA] = c[BETA];
      c[BETA] = s.norm(r2);
      c[NORM2] += alpha * alpha + c[OLD_BETA] * c[OLD_BETA] + c[BETA] * c[BETA];
      return alpha;
    }

    /**
     * The next plane rotation of the QR factorisation, and the step along its direction, unless x
     * is a least-squares solution already: ‖Ar‖ small against ‖A‖‖r‖.
     */
    private boolean rotate(double alpha) {
      final double oldEpsln = c[EPSLN];
      final double delta = c[CS] * c[DBAR] + c[SN] * alpha;
      double gbar = c[SN] * c[DBAR] - c[CS] * alpha;
      c[EPSLN] = c[SN] * c[BETA];
      c[DBAR] = -c[CS] * c[BETA];
      double slope = Math.hypot(gbar, c[DBAR]) / Math.sqrt(c[NORM2]);
      if (slope <= flat) {
        return true;
      }
      double gamma = Math.max(Math.hypot(gbar, c[BETA]), Double.MIN_NORMAL);
      c[CS] = gbar / gamma;
      c[SN] = c[BETA] / gamma;
      double phi = c[CS] * c[PHIBAR];
      c[PHIBAR] = c[SN] * c[PHIBAR];
      // w_k = (v − ε w_{k−2} − δ w_{k−1}) / γ
      s.axpby(-oldEpsln / gamma, w1, 1 / gamma, v);
      s.axpy(-delta / gamma, w2, v);
      s.axpy(phi, v, d);
      s.copy(w2, w1);
      s.copy(v, w2);
      return false;
    }

    private StopReason verdict(double norm, boolean atLeastSquares) {
      if (s.withinTolerance(norm)) {
        return StopReason.CONVERGED;
      }
      boolean better = norm <= WORTHWHILE * c[VERIFIED];
      c[VERIFIED] = norm;
      return better && !atLeastSquares ? null : StopReason.STAGNATED;
    }

    private String words(StopReason verdict) {
      return verdict == StopReason.CONVERGED
          ? Text.format("residual within the tolerance after %d iterations", s.iterations())
          : "no smaller residual is possible: b has a part outside the operator's range, or"
              + " rounding dominates; use a damping above 0 or a larger tolerance";
    }
  }
}
