package dev.lethe.influence;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.Solution;
import dev.lethe.solve.Solver;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.SolverOptions;
import dev.lethe.solve.StopReason;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
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

  /**
   * Units of work, which are not divided: up to eight queries, solved for together where the solver can.
   *
   * @param queries of {@link #of}
   */
  public static int units(DatasetLoss queries) {
    int units = 0;
    for (int block = 0; block < queries.blocks(); block++) {
      units += units(queries, block);
    }
    return units;
  }

  private static int units(DatasetLoss queries, int block) {
    return Math.ceilDiv(queries.firstSample(block + 1) - queries.firstSample(block), BLOCK);
  }

  /** Scores every training sample for every query; ends early where the monitor interrupts. */
  public Result of(
      DatasetLoss queries, Solver solver, SolverOptions options, SolverMonitor monitor) {
    return of(queries, BlockRange.all(units(queries)), new Solve(solver, options, monitor));
  }

  /** Scores the training samples for the queries of some units; their numbers are those of the whole. */
  public Result of(DatasetLoss queries, BlockRange units, Solve solve) {
    Result result = nothing();
    int first = 0;
    for (int block = 0; block < queries.blocks() && result.complete(); block++) {
      int end = first + units(queries, block);
      BlockRange wanted = units.intersection(new BlockRange(first, end));
      if (wanted.size() > 0) {
        int unit = first;
        int query = queries.firstSample(block);
        queries
            .part(new BlockRange(block, block + 1))
            .perSample(
                theta,
                (at, gradients) ->
                    score(gradients, new BlockRange(wanted.first() - unit, wanted.end() - unit), query, solve, result));
      }
      first = end;
    }
    return result;
  }

  /** The scores of no query. */
  public static Result nothing() {
    return new Result(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
  }

  /** Solves for the units of a block of queries, then scores for all of these in one pass over the samples. */
  private void score(Tensor gradients, BlockRange units, int query, Solve solve, Result result) {
    Backend backend = data.backend();
    try (Scope scope = backend.openScope("influence")) {
      List<Tensor> solved = new ArrayList<>();
      for (int unit = units.first(); unit < units.end() && result.complete(); unit++) {
        int first = unit * BLOCK;
        long count = Math.min(BLOCK, gradients.dim(0) - first);
        Tensor done = scope.allocate(backend.vectorType(), Shape.of(count, gradients.dim(1)));
        int number = solve(gradients.slice(first, count), done, query + first, solve, result, scope);
        if (number > 0) {
          solved.add(done.slice(0, number));
        }
      }
      for (double[] row : solved.isEmpty() ? new double[0][] : data.dots(theta, solved)) {
        for (int i = 0; i < row.length; i++) {
          row[i] /= n;
        }
        result.scores.add(row);
      }
    }
  }

  /** Solves for the queries of a unit; how many were solved before an interruption. */
  private int solve(Tensor b, Tensor solved, int query, Solve solve, Result result, Scope scope) {
    Backend backend = data.backend();
    int done = 0;
    for (Solution solution :
        solve.solver.solveAll(
            new LinearProblem(backend, curvature, damping, b, scope), solve.options, solve.monitor)) {
      if (solution.reason() == StopReason.INTERRUPTED) {
        result.interrupted = true;
      }
      if (result.complete()) {
        backend.vectors().copy(solution.x(), solved.row(done));
        result.queries.add(query + done++);
        result.solutions.add(solution);
      }
      scope.release(solution.x());
    }
    solve.monitor.onSolved(result.solutions.size());
    return done;
  }

  /** How queries are solved for. */
  public record Solve(Solver solver, SolverOptions options, SolverMonitor monitor) {}

  /** Scores of queries, in order; after an interruption of the first ones alone. */
  public static final class Result {
    private final List<Integer> queries;
    private final List<double[]> scores;
    private final List<Solution> solutions;
    private boolean interrupted;

    private Result(List<Integer> queries, List<double[]> scores, List<Solution> solutions) {
      this.queries = queries;
      this.scores = scores;
      this.solutions = solutions;
    }

    /** The places of the queries. */
    public List<Integer> queries() {
      return queries;
    }

    /** A row a query, a column a training sample. */
    public double[][] scores() {
      return scores.toArray(double[][]::new);
    }

    /** How each query was solved; their x is gone. */
    public List<Solution> solutions() {
      return solutions;
    }

    /** False where interrupted. */
    public boolean complete() {
      return !interrupted;
    }
  }
}
