package dev.lethe.solve;

import dev.lethe.Text;
import dev.lethe.curvature.StochasticCurvature;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;

/**
 * The stochastic quadratic of LLMEraser (arXiv 2412.00383, equations 12 to 15): stochastic gradient
 * descent on ½xᵀ(C+λI)x − bᵀx over mini-batches of the curvature, x ← x − η((C_B+λI)x − b), with
 * the gradient's factor exact (the released code's is ½).
 *
 * <p>One iteration is a pass over all mini-batches in a seeded order, a permutation a pass. Passes
 * form rounds of 1, 2, 4, … ; the candidate is the mean of the round's iterates (Polyak and
 * Juditsky 1992), its residual is recomputed after every pass, and the best so far is the solution
 * and the next round's start. The rate begins at 1/max_B λ_max(C_B+λI), from power iteration on
 * each mini-batch, and halves after a round that did not lower the best residual by three tenths. A
 * single batch has no noise: then this is gradient descent at the first rate, without averaging.
 */
final class StochasticQuadratic implements Solver {
  private static final int RATE = 0;
  private static final int BEST = 1;
  private static final int ROUND = 2;
  private static final int PASS = 3;
  private static final int BEST_BEFORE = 4;
  private static final int SCALARS = 5;
  private static final double HOPELESS = 1e3;
  private static final double WORTHWHILE = 0.7;

  @Override
  public String name() {
    return "sgd";
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
    private final Tensor best;
    private final Tensor mean;
    private final Tensor g;
    private final double[] scalars;

    Run(SolveSession session) {
      s = session;
      x = s.vector("x");
      best = s.vector("best");
      mean = s.vector("mean");
      g = s.scratch();
      scalars = s.scalars(SCALARS);
      if (!s.resume()) {
        scalars[ROUND] = 1;
        scalars[BEST_BEFORE] = s.rhsNorm();
        scalars[BEST] = s.rhsNorm();
      }
    }

    Solution run() {
      if (scalars[RATE] == 0) {
        double largest = largestOfBatches();
        if (!(largest > 0)) {
          return s.finish(
              x, s.rhsNorm(), StopReason.NEGATIVE_CURVATURE,
              Text.format(
                  "the largest eigenvalue of the mini-batches is %.3g; use curvature ggn or minres",
                  largest));
        }
        scalars[RATE] = 1 / largest;
      }
      while (s.mayIterate()) {
        pass();
        double norm = s.residual(mean, g);
        adapt(norm);
        boolean interrupted = s.endIteration(norm);
        if (s.withinTolerance(norm)) {
          return s.finish(
              best, norm, StopReason.CONVERGED,
              Text.format("residual within the tolerance after %d passes", s.iterations()));
        }
        if (norm > HOPELESS * s.rhsNorm()) {
          return s.finish(
              best, scalars[BEST], StopReason.DIVERGED,
              "the iteration diverges, so a mini-batch has negative curvature; use curvature ggn, a"
                  + " larger damping, or solver minres");
        }
        if (interrupted) {
          return s.interrupted(best);
        }
      }
      return s.finish(
          best, scalars[BEST], StopReason.MAX_ITERATIONS,
          Text.format(
              "reached the maximum of %d passes over %d mini-batches, rate %.3g at the end",
              s.iterations(), batches(), scalars[RATE]));
    }

    /** One pass over the mini-batches; moves the mean of the round's iterates along. */
    private void pass() {
      int[] order = order();
      double steps = scalars[PASS] * order.length;
      for (int batch : order) {
        product(batch, x, g);
        s.axpy(-1, s.problem().rhs(), g);
        s.axpy(-scalars[RATE], g, x);
        steps++;
        double weight = order.length == 1 ? 1 : 1 / steps;
        s.axpby(weight, x, 1 - weight, mean);
      }
      scalars[PASS]++;
    }

    private void adapt(double norm) {
      if (norm < scalars[BEST]) {
        scalars[BEST] = norm;
        s.copy(mean, best);
      }
      if (scalars[PASS] == scalars[ROUND]) {
        if (batches() > 1 && scalars[BEST] > WORTHWHILE * scalars[BEST_BEFORE]) {
          scalars[RATE] /= 2;
        }
        scalars[BEST_BEFORE] = scalars[BEST];
        scalars[ROUND] *= 2;
        scalars[PASS] = 0;
        s.copy(best, x);
      }
    }

    private double largestOfBatches() {
      double largest = 0;
      Tensor v0 = s.scratch();
      for (int i = 0; i < batches(); i++) {
        int batch = i;
        double value =
            PowerIteration.largest(
                s, (v, out) -> product(batch, v, out), v0, g, s.options().seed() + i);
        largest = Math.max(largest, value);
      }
      return largest;
    }

    private int batches() {
      return s.problem().curvature() instanceof StochasticCurvature c ? c.batches() : 1;
    }

    private void product(int batch, Tensor v, Tensor out) {
      if (s.problem().curvature() instanceof StochasticCurvature c) {
        s.batchProduct(c, batch, v, out);
      } else {
        s.product(v, out);
      }
    }

    /** Fisher-Yates with the random bits of this pass. */
    private int[] order() {
      int[] order = new int[batches()];
      long seed = SplitMix64.bits(s.options().seed(), s.iterations());
      for (int i = 0; i < order.length; i++) {
        int j = (int) (SplitMix64.uniform(seed, i) * (i + 1));
        order[i] = order[j];
        order[j] = i;
      }
      return order;
    }
  }
}
