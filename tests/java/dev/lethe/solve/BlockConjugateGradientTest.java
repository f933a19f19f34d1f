package dev.lethe.solve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several right-hand sides at a time, against one by one and against known solutions. */
class BlockConjugateGradientTest {
  private static final int N = 53;
  private static final long SEED = 20261126;

  private MatrixSystems systems;

  private void open(String device) {
    systems = new MatrixSystems(device, N, SEED);
  }

  @AfterEach
  void close() {
    systems.close();
  }

  @ParameterizedTest
  @CsvSource({"reference,1e-10,1e-7", "cpu,1e-5,1e-3"})
  void everySystemAsByItself(String device, double tolerance, double error) {
    open(device);
    MatrixOperator a = systems.spd(1e-3);
    double[][] x = solutions(7);
    List<Solution> block = solve(a, 1e-2, x, SolverOptions.of(tolerance, 200, 0));
    for (int j = 0; j < x.length; j++) {
      assertTrue(block.get(j).converged(), block.get(j).stop());
      double found = systems.error(block.get(j), x[j]);
      assertTrue(found <= error, "error " + found);
    }
  }

  @Test
  void sharesTheSpaceOfAllSystems() {
    open("reference");
    MatrixOperator a = systems.spd(1e-4);
    double[][] x = solutions(6);
    SolverOptions options = SolverOptions.of(1e-8, 1000, 0);
    int together = solve(a, 0, x, options).getFirst().iterations();
    int alone = solve(a, 0, new double[][] {x[0]}, options).getFirst().iterations();
    assertTrue(2 * together < alone, together + " iterations together, " + alone + " alone");
  }

  @Test
  void dependentRightHandSides() {
    open("reference");
    MatrixOperator a = systems.spd(1e-3);
    double[][] x = solutions(6);
    x[1] = x[0].clone();
    x[3] = new double[N];
    for (int i = 0; i < N; i++) {
      x[4][i] = 2 * x[0][i] - 1e-6 * x[2][i];
    }
    List<Solution> found = solve(a, 0, x, SolverOptions.of(1e-9, 500, 0));
    for (int j = 0; j < x.length; j++) {
      assertTrue(found.get(j).converged(), j + ": " + found.get(j).stop());
      double wrong = systems.error(found.get(j), x[j]);
      assertTrue(j == 3 ? wrong == 0 : wrong <= 1e-5, j + ": error " + wrong);
    }
  }

  /** A block as wide as the space ends after one iteration, and one that is wider is cut to it. */
  @Test
  void moreSystemsThanDimensions() {
    open("reference");
    MatrixOperator a = systems.spd(1e-2);
    List<Solution> found = solve(a, 0, solutions(N + 4), SolverOptions.of(1e-8, 20, 0));
    assertTrue(found.stream().allMatch(Solution::converged), found.getFirst().stop());
    assertTrue(found.getFirst().iterations() <= 2, "iterations " + found.getFirst().iterations());
  }

  @Test
  void systemsOfVeryDifferentSize() {
    open("reference");
    MatrixOperator a = systems.spd(1e-2);
    double[][] x = solutions(4);
    for (int i = 0; i < N; i++) {
      x[1][i] *= 1e-9;
      x[2][i] *= 1e9;
    }
    List<Solution> found = solve(a, 0, x, SolverOptions.of(1e-8, 300, 0));
    for (int j = 0; j < x.length; j++) {
      assertTrue(found.get(j).converged(), found.get(j).stop());
      double error = systems.error(found.get(j), x[j]);
      assertTrue(error <= 1e-5, j + ": error " + error);
    }
  }

  @Test
  void negativeCurvatureEndsAllWithARemedy() {
    open("reference");
    double[] eigenvalues = MatrixOperator.logSpaced(N, 1e-2, 1);
    eigenvalues[N - 1] = -1;
    MatrixOperator a = systems.withEigenvalues(eigenvalues);
    for (Solution each : solve(a, 0, solutions(3), SolverOptions.DEFAULT)) {
      assertEquals(StopReason.NEGATIVE_CURVATURE, each.reason());
      assertTrue(each.stop().contains("larger damping"), each.stop());
      assertTrue(Double.isFinite(each.relativeResidual()));
    }
  }

  @Test
  void stoppedAndResumedToTheSameBytes() {
    open("reference");
    MatrixOperator a = systems.spd(1e-3);
    double[][] x = solutions(5);
    x[2] = x[0].clone();
    SolverOptions options = SolverOptions.of(1e-12, 8, 0);
    List<Solution> whole = solve(a, 1e-3, x, options);
    Interruption stop = Interruption.after(3);
    List<Solution> stopped = solve(a, 1e-3, x, options, stop);
    assertTrue(stopped.stream().allMatch(s -> s.reason() == StopReason.INTERRUPTED));
    List<Solution> resumed = solve(a, 1e-3, x, options, Interruption.resume(stop.saved));
    for (int j = 0; j < x.length; j++) {
      assertArrayEquals(systems.values(whole.get(j)), systems.values(resumed.get(j)));
    }
  }

  @Test
  void otherSolversTakeSeveralSystemsOneByOne() {
    open("reference");
    MatrixOperator a = systems.spd(1e-2);
    double[][] x = solutions(3);
    List<Solution> found =
        new ConjugateGradient()
            .solveAll(problem(a, 0, x), SolverOptions.of(1e-8, 300, 0), SolverMonitor.NONE);
    assertEquals(3, found.size());
    for (int j = 0; j < 3; j++) {
      assertTrue(systems.error(found.get(j), x[j]) <= 1e-5);
    }
  }

  private static double[][] solutions(int count) {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    double[][] x = new double[count][N];
    for (double[] row : x) {
      Arrays.setAll(row, i -> random.nextGaussian());
    }
    return x;
  }

  private List<Solution> solve(MatrixOperator a, double damping, double[][] x, SolverOptions o) {
    return solve(a, damping, x, o, SolverMonitor.NONE);
  }

  private List<Solution> solve(
      MatrixOperator a,
      double damping,
      double[][] x,
      SolverOptions options,
      SolverMonitor monitor) {
    return new BlockConjugateGradient().solveAll(problem(a, damping, x), options, monitor);
  }

  /** The system whose solutions are the rows of x. */
  private LinearProblem problem(MatrixOperator a, double damping, double[][] x) {
    double[][] b =
        Arrays.stream(x).map(row -> MatrixSystems.rhs(a, damping, row)).toArray(double[][]::new);
    return systems.problem(a, damping, b);
  }
}
