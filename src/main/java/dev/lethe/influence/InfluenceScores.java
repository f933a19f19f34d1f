package dev.lethe.influence;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.Solution;
import dev.lethe.solve.Solver;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.SolverOptions;
import dev.lethe.solve.StopReason;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What each training sample does to the loss of queries. The score of sample i for query q is the
 * estimated change of ℓ_q when sample i is removed from training,
 *
 * <pre>{@code score(q, i) = +⟨∇ℓ_q, (C + λI)⁻¹ ∇ℓᵢ⟩ / n}</pre>
 *
 * positive where the sample helps the query (removing it raises the loss). Koh and Liang, arXiv
 * 1703.04730, equation 2, with ε = −1/n. Queries are solved for in blocks, all at a time where the
 * solver can; training gradients are never formed.
 */
public final class InfluenceScores {
  /** Right-hand sides of a block: beyond these a pass saves little more, and takes more memory. */
  private static final int BLOCK = 8;

  private final DatasetLoss data;
  private final Tensor theta;
  private final CurvatureOperator curvature;
  private final double damping;
  private final double n;

  /**
   * @param data the training samples to score
   * @param theta (P), where the curvature was taken
   * @param curvature C, borrowed
   * @param damping λ
   * @param n samples that the adapter was trained on
   */
  public InfluenceScores(
      DatasetLoss data, Tensor theta, CurvatureOperator curvature, double damping, double n) {
    this.data = data;
    this.theta = theta;
    this.curvature = curvature;
    this.damping = damping;
    this.n = n;
  }

  /** Scores every training sample for every query; ends early where the monitor interrupts. */
  public Result of(
      DatasetLoss queries, Solver solver, SolverOptions options, SolverMonitor monitor) {
    List<double[]> scores = new ArrayList<>();
    List<Solution> solutions = new ArrayList<>();
    queries.perSample(
        theta,
        (first, gradients) -> {
          if (solutions.size() == first) {
            score(gradients, new Solve(solver, options, monitor), scores, solutions);
          }
        });
    return new Result(
        scores.toArray(double[][]::new), solutions, scores.size() == queries.size());
  }

  private void score(
      Tensor gradients, Solve solve, List<double[]> scores, List<Solution> solutions) {
    Backend backend = data.backend();
    try (Scope scope = backend.openScope("influence")) {
      Tensor solved = scope.allocate(backend.vectorType(), gradients.shape());
      int done = 0;
      boolean interrupted = false;
      while (done < gradients.dim(0) && !interrupted) {
        int count = (int) Math.min(BLOCK, gradients.dim(0) - done);
        LinearProblem problem =
            new LinearProblem(backend, curvature, damping, gradients.slice(done, count), scope);
        for (Solution solution :
            solve.solver.solveAll(problem, solve.options, solve.monitor)) {
          interrupted |= solution.reason() == StopReason.INTERRUPTED;
          if (!interrupted) {
            backend.vectors().copy(solution.x(), solved.row(done++));
            solutions.add(solution);
          }
          scope.release(solution.x());
        }
        solve.monitor.onSolved(solutions.size());
      }
      if (done > 0) {
        for (double[] row : data.dots(theta, solved.slice(0, done))) {
          for (int i = 0; i < row.length; i++) {
            row[i] /= n;
          }
          scores.add(row);
        }
      }
    }
  }

  private record Solve(Solver solver, SolverOptions options, SolverMonitor monitor) {}

  /**
   * @param scores a row a query, a column a training sample
   * @param solutions how each query was solved; their x is gone
   * @param complete false where interrupted: then only the first queries have scores
   */
  public record Result(double[][] scores, List<Solution> solutions, boolean complete) {}
}
