package dev.lethe.solve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** One Krylov space for every damping, against a solve of each. */
class DampingSweepTest {
  private static final int N = 61;
  private static final long SEED = 20261126;
  private static final List<Double> DAMPINGS = List.of(0.1, 1e-3, 1.0, 1e-2, 0.0);

  private MatrixSystems systems;

  private void open(String device) {
    systems = new MatrixSystems(device, N, SEED);
  }

  @AfterEach
  void close() {
    systems.close();
  }

  @Test
  void equalsSolvesOfEachDamping() {
    open("reference");
    MatrixOperator a = systems.spd(1e-3);
    double own = 5e-4;
    SolverOptions options = SolverOptions.of(1e-10, 500, 0);
    LinearProblem problem = problem(a, own);
    long before = a.products();
    List<DampingSweep.Row> rows =
        DampingSweep.solve(problem, DAMPINGS, options, SolverMonitor.NONE);
    long together = a.products() - before;
    long hardest = 0;
    for (int i = 0; i < rows.size(); i++) {
      DampingSweep.Row row = rows.get(i);
      assertEquals(DAMPINGS.get(i), row.damping());
      LinearProblem single = problem(a, own + row.damping());
      Solution alone = new ConjugateGradient().solve(single, options, SolverMonitor.NONE);
      assertEquals(StopReason.CONVERGED, row.solution().reason(), row.solution().stop());
      assertTrue(row.solution().relativeResidual() <= 1e-10);
      double[] x = systems.values(row.solution());
      double[] expected = systems.values(alone);
      assertTrue(systems.error(row.solution(), expected) <= 1e-6, "damping " + row.damping());
      assertTrue(Math.abs(row.solution().iterations() - alone.iterations()) <= 3);
      assertEquals(MatrixSystems.norm(expected), row.norm(), 1e-6 * MatrixSystems.norm(expected));
      hardest = Math.max(hardest, alone.products());
      double[] b = rightHandSide();
      double linear = MatrixOperator.dot(b, x);
      double quadratic = MatrixOperator.dot(x, a.times(x)) + own * MatrixOperator.dot(x, x);
      assertEquals(-linear + 0.5 * quadratic, row.predictedChange(), 1e-9 * linear);
    }
    assertTrue(together <= hardest + 2 * DAMPINGS.size(), together + " products, " + hardest);
  }

  @Test
  void largerDampingsRestEarlierAndStepLess() {
    open("reference");
    List<DampingSweep.Row> rows =
        DampingSweep.solve(
            problem(systems.spd(1e-4), 0), List.of(1e-3, 1e-2, 0.1, 1.0),
            SolverOptions.of(1e-8, 1000, 0), SolverMonitor.NONE);
    for (int i = 1; i < rows.size(); i++) {
      assertTrue(rows.get(i).solution().iterations() < rows.get(i - 1).solution().iterations());
      assertTrue(rows.get(i).norm() < rows.get(i - 1).norm());
      assertTrue(rows.get(i).predictedChange() > rows.get(i - 1).predictedChange());
    }
  }

  /** Rounding leaves more than asked after the recurrence has converged; the rest is solved for. */
  @Test
  void singlePrecisionReachesWhatRoundingOfTheStepAllows() {
    open("cpu");
    MatrixOperator a = systems.spd(1e-4);
    for (DampingSweep.Row row :
        DampingSweep.solve(
            problem(a, 0), List.of(1e-3, 1e-2, 0.1), SolverOptions.of(5e-5, 2000, 0),
            SolverMonitor.NONE)) {
      assertTrue(row.solution().converged(), row.damping() + ": " + row.solution().stop());
      assertTrue(row.solution().relativeResidual() <= 5e-5);
    }
    DampingSweep.Row beyond =
        DampingSweep.solve(
                problem(a, 0), List.of(1e-4), SolverOptions.of(1e-9, 2000, 0), SolverMonitor.NONE)
            .getFirst();
    assertEquals(StopReason.STAGNATED, beyond.solution().reason(), beyond.solution().stop());
    assertTrue(beyond.solution().relativeResidual() <= 1e-3);
  }

  @Test
  void whatIsNotDefiniteEndsAndTheOthersGoOn() {
    open("reference");
    double[] eigenvalues = MatrixOperator.logSpaced(N, 1e-2, 1);
    eigenvalues[0] = -0.05;
    MatrixOperator a = systems.withEigenvalues(eigenvalues);
    List<DampingSweep.Row> rows =
        DampingSweep.solve(
            problem(a, 0), List.of(0.01, 0.2), SolverOptions.of(1e-8, 500, 0), SolverMonitor.NONE);
    assertEquals(StopReason.NEGATIVE_CURVATURE, rows.get(0).solution().reason());
    assertTrue(rows.get(0).solution().stop().contains("larger damping"));
    assertTrue(rows.get(1).solution().converged(), rows.get(1).solution().stop());
  }

  @Test
  void theMaximumOfIterationsIsSaid() {
    open("reference");
    List<DampingSweep.Row> rows =
        DampingSweep.solve(
            problem(systems.spd(1e-4), 0), List.of(1e-6, 10.0), SolverOptions.of(1e-8, 6, 0),
            SolverMonitor.NONE);
    assertEquals(StopReason.MAX_ITERATIONS, rows.get(0).solution().reason());
    assertEquals(6, rows.get(0).solution().iterations());
    assertTrue(rows.get(0).solution().relativeResidual() > 1e-8);
    assertEquals(StopReason.CONVERGED, rows.get(1).solution().reason());
  }

  @Test
  void stoppedAndResumedToTheSameBytes() {
    open("reference");
    MatrixOperator a = systems.spd(1e-3);
    SolverOptions options = SolverOptions.of(1e-12, 30, 0);
    List<DampingSweep.Row> whole =
        DampingSweep.solve(problem(a, 0), DAMPINGS, options, SolverMonitor.NONE);
    Interruption stop = Interruption.after(11);
    List<DampingSweep.Row> stopped = DampingSweep.solve(problem(a, 0), DAMPINGS, options, stop);
    assertTrue(stopped.stream().allMatch(r -> r.solution().reason() == StopReason.INTERRUPTED));
    List<DampingSweep.Row> resumed =
        DampingSweep.solve(problem(a, 0), DAMPINGS, options, Interruption.resume(stop.saved));
    for (int i = 0; i < whole.size(); i++) {
      Solution expected = whole.get(i).solution();
      Solution found = resumed.get(i).solution();
      assertArrayEquals(systems.values(expected), systems.values(found));
      assertEquals(expected.iterations(), found.iterations());
    }
  }

  @Test
  void nothingToSolveNeedsNoIteration() {
    open("reference");
    for (DampingSweep.Row row :
        DampingSweep.solve(
            systems.problem(systems.spd(1e-2), 0, new double[N]), DAMPINGS,
            SolverOptions.DEFAULT, SolverMonitor.NONE)) {
      assertTrue(row.solution().converged(), row.solution().stop());
      assertEquals(0, row.solution().iterations());
      assertArrayEquals(new double[N], systems.values(row.solution()));
    }
  }

  @Test
  void listsThatMeanNothingAreRefused() {
    open("reference");
    LinearProblem problem = problem(systems.spd(1e-2), 0);
    for (List<Double> bad : List.of(List.<Double>of(), List.of(0.1, 0.1), List.of(-1.0, 1.0))) {
      assertThrows(
          LetheException.class,
          () -> DampingSweep.solve(problem, bad, SolverOptions.DEFAULT, SolverMonitor.NONE));
    }
  }

  private LinearProblem problem(MatrixOperator a, double damping) {
    return systems.problem(a, damping, rightHandSide());
  }

  private static double[] rightHandSide() {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    double[] b = new double[N];
    Arrays.setAll(b, i -> random.nextGaussian());
    return b;
  }
}
