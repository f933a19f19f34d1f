package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.solve.SolverOptions;
import dev.lethe.solve.Solvers;
import dev.lethe.unlearn.request.Measuring;
import java.util.List;
import java.util.stream.Stream;

/**
 * How to unlearn.
 *
 * @param curvature C; Gauss-Newton by default, which has no negative directions
 * @param curvatureData the rows that C is a mean over
 * @param curvatureRows how many of them, drawn by the seed; 0 for all
 * @param solver of {@link #solvers}
 * @param damping λ
 * @param dampingFrom who chose it, for the certificate
 * @param weightDecay wd where the training objective had the term ½·wd·‖θ‖²
 * @param solving tolerance, iterations and seed
 * @param outerSteps solves in a row, at least 1
 * @param outerTarget what the solves after the first aim at
 * @param certificateRows how many target rows the certificate measures, drawn by the seed; {@link
 *     #ALL_ROWS}, or 0 for none
 * @param limits of the batches
 * @param memory for primal passes kept between products
 */
public record EraserOptions(
    Curvature curvature,
    CurvatureData curvatureData,
    int curvatureRows,
    String solver,
    double damping,
    String dampingFrom,
    double weightDecay,
    SolverOptions solving,
    int outerSteps,
    OuterTarget outerTarget,
    int certificateRows,
    BatchLimits limits,
    MemoryBudget memory) {

  /** Weight decay is below this. */
  public static final double MAX_WEIGHT_DECAY = 1e9;

  /** As many rows as there are. */
  public static final int ALL_ROWS = Integer.MAX_VALUE;

  /** Which rows the curvature is a mean over. */
  public enum CurvatureData {
    /** The rows as they should have been: a Newton step. */
    TARGET,
    /** The rows that the adapter was trained on: the classical influence estimate. */
    ALL
  }

  /** What the outer steps after the first aim at. */
  public enum OuterTarget {
    /** A zero gradient of the target objective: right for adapters near a minimum. */
    MINIMUM,
    /** The gradient that the trained objective had, so that no step goes on training. */
    ANCHORED
  }

  /** Checks the ranges. */
  public EraserOptions {
    require(solvers().contains(solver), "solver", String.join(", ", solvers()), solver);
    require(
        damping >= 0 && damping < Double.POSITIVE_INFINITY, "damping", "0 or more and finite", damping);
    require(
        weightDecay >= 0 && weightDecay < MAX_WEIGHT_DECAY,
        "weight decay", "0 or more and below " + MAX_WEIGHT_DECAY, weightDecay);
    require(curvatureRows >= 0, "number of curvature rows", "0 (all) or more", curvatureRows);
    require(outerSteps >= 1, "number of outer steps", "1 or more", outerSteps);
    require(
        certificateRows >= 0, "number of certificate rows", "0 (none) or more", certificateRows);
    require(
        outerSteps == 1 || certificateRows == ALL_ROWS,
        "number of certificate rows",
        "all where there are several outer steps, which need that gradient",
        certificateRows);
  }

  /** All solvers by name: those of {@link Solvers}, and {@value ReleasedLlmEraser#NAME}. */
  public static List<String> solvers() {
    return Stream.concat(Solvers.names().stream(), Stream.of(ReleasedLlmEraser.NAME)).toList();
  }

  /** Whether the procedure is that of the code released with LLMEraser. */
  boolean released() {
    return solver.equals(ReleasedLlmEraser.NAME);
  }

  /** What the certificate measures. */
  Measuring measuring() {
    return new Measuring(certificateRows, solving.seed(), weightDecay, limits);
  }

  /** The same with another damping. */
  EraserOptions withDamping(double value) {
    return new EraserOptions(
        curvature, curvatureData, curvatureRows, solver, value, dampingFrom, weightDecay, solving,
        outerSteps, outerTarget, certificateRows, limits, memory);
  }

  /** The options in one line: what a resumed run must agree with. */
  String identity() {
    return Text.format(
        "%s %s %d %s %s %s %s %d %s %d %s",
        curvature, curvatureData, curvatureRows, solver, damping, weightDecay, solving,
        outerSteps, outerTarget, certificateRows, limits);
  }

  private static void require(boolean holds, String option, String expected, Object got) {
    if (!holds) {
      throw new LetheException(
          "unlearning options",
          "the " + option + " is out of range",
          expected,
          String.valueOf(got),
          "Pass another value.");
    }
  }
}
