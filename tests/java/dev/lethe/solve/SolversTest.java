package dev.lethe.solve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Solvers on dense matrices whose solutions are known. */
class SolversTest {
  private static final int N = 61;
  private static final long SEED = 20261122;

  private MatrixSystems systems;

  @BeforeEach
  void open() {
    systems = new MatrixSystems("reference", N, SEED);
  }

  @AfterEach
  void close() {
    systems.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cg", "minres", "direct", "block-cg"})
  void positiveDefiniteAtConditionTenThousand(String name) {
    MatrixOperator a = systems.spd(1e-4);
    double[] x = random(N, 1);
    Solution found = solve(name, a, 0, a.times(x), SolverOptions.of(1e-8, 1000, 0));
    assertTrue(found.converged(), found.stop());
    assertEquals(StopReason.CONVERGED, found.reason());
    assertTrue(found.relativeResidual() <= 1e-8, "residual " + found.relativeResidual());
    assertTrue(trueResidual(a, 0, found, a.times(x)) <= 1.1e-8);
    assertTrue(systems.error(found, x) <= 1e-4, "error " + systems.error(found, x));
  }

  /** At a residual of 1e-6 the error is 1e-3 in double precision too; here a smaller one is asked. */
  @ParameterizedTest
  @ValueSource(strings = {"cg", "minres", "direct", "block-cg"})
  void singlePrecisionAtConditionTenThousand(String name) {
    singlePrecision();
    MatrixOperator a = systems.spd(1e-4);
    double[] x = random(N, 1);
    double[] b = a.times(x);
    Solution found = solve(name, a, 0, b, SolverOptions.of(5e-8, 2000, 0));
    assertTrue(found.converged(), found.stop());
    assertTrue(trueResidual(a, 0, found, b) <= 1e-7, "residual " + trueResidual(a, 0, found, b));
    assertTrue(systems.error(found, x) <= 1e-4, "error " + systems.error(found, x));
  }

  /** Less than rounding allows: the solver says so, and rounding of x itself is all that is left. */
  @ParameterizedTest
  @ValueSource(strings = {"cg", "minres", "block-cg"})
  void singlePrecisionStagnatesAtTheRoundingOfTheSolution(String name) {
    singlePrecision();
    MatrixOperator a = systems.spd(1e-4);
    double[] x = random(N, 1);
    Solution found = solve(name, a, 0, a.times(x), SolverOptions.of(1e-9, 5000, 0));
    assertEquals(StopReason.STAGNATED, found.reason(), found.stop());
    assertFalse(found.converged());
    assertTrue(found.relativeResidual() <= 0x1p-24, "residual " + found.relativeResidual());
    assertTrue(systems.error(found, x) <= 5e-5, "error " + systems.error(found, x));
  }

  private void singlePrecision() {
    close();
    systems = new MatrixSystems("cpu", N, SEED);
  }

  @ParameterizedTest
  @CsvSource({
    "lissa,1e-6,5000", "sgd,1e-3,3000", "cg,1e-6,100", "minres,1e-6,100", "block-cg,1e-6,100"
  })
  void dampingIsPartOfTheSystem(String name, double tolerance, int limit) {
    MatrixOperator a = systems.spd(1e-2).split(4, 0.3);
    double damping = 0.05;
    double[] x = random(N, 2);
    double[] b = MatrixSystems.rhs(a, damping, x);
    Solution found = solve(name, a, damping, b, SolverOptions.of(tolerance, limit, 7));
    assertTrue(found.converged(), found.stop());
    assertTrue(trueResidual(a, damping, found, b) <= 1.1 * tolerance);
    assertTrue(systems.error(found, x) <= 30 * tolerance, "error " + systems.error(found, x));
  }

  @ParameterizedTest
  @ValueSource(strings = {"minres", "direct"})
  void indefinite(String name) {
    MatrixOperator a = indefiniteMatrix();
    double[] x = random(N, 3);
    Solution found = solve(name, a, 0, a.times(x), SolverOptions.of(1e-8, 1000, 0));
    assertTrue(found.converged(), found.stop());
    assertTrue(systems.error(found, x) <= 1e-4, "error " + systems.error(found, x));
  }

  @Test
  void conjugateGradientsLeaveAtNegativeCurvature() {
    MatrixOperator a = indefiniteMatrix();
    Solution found = solve("cg", a, 0, random(N, 4), SolverOptions.DEFAULT);
    assertEquals(StopReason.NEGATIVE_CURVATURE, found.reason());
    assertFalse(found.converged());
    assertTrue(found.stop().contains("vᵀ(C+λI)v = -"), found.stop());
    assertTrue(Double.isFinite(found.relativeResidual()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"lissa", "sgd"})
  void firstOrderSolversSayThatTheyDiverge(String name) {
    MatrixOperator a = indefiniteMatrix();
    Solution found = solve(name, a, 0, random(N, 4), SolverOptions.of(1e-6, 20000, 0));
    assertTrue(
        found.reason() == StopReason.DIVERGED || found.reason() == StopReason.NEGATIVE_CURVATURE,
        found.reason() + ": " + found.stop());
    assertFalse(found.converged());
  }

  @ParameterizedTest
  @CsvSource({"cg,1e-8", "minres,1e-8", "lissa,1e-6", "sgd,1e-5", "block-cg,1e-8"})
  void nullSpaceStaysUntouched(String name, double tolerance) {
    double[] eigenvalues = MatrixOperator.logSpaced(N, 0.05, 1);
    Arrays.fill(eigenvalues, 0, 13, 0);
    MatrixOperator a = systems.withEigenvalues(eigenvalues);
    double[] b = a.times(random(N, 5));
    Solution found = solve(name, a, 0, b, SolverOptions.of(tolerance, 3000, 0));
    assertTrue(found.converged(), found.stop());
    double[] x = systems.values(found);
    double[] again = a.times(x);
    // the minimum-norm solution is in the range, which a power of A maps onto itself
    Solution back = solve("minres", a, 0, again, SolverOptions.of(1e-10, 3000, 0));
    assertTrue(systems.error(back, x) <= 1e-7, "part in the null space: " + systems.error(back, x));
  }

  @Test
  void rightHandSideOutsideTheRangeStagnates() {
    double[] eigenvalues = MatrixOperator.logSpaced(N, 0.1, 1);
    eigenvalues[0] = 0;
    MatrixOperator a = systems.withEigenvalues(eigenvalues);
    Solution found = solve("minres", a, 0, random(N, 6), SolverOptions.of(1e-8, 1000, 0));
    assertEquals(StopReason.STAGNATED, found.reason());
    double[] r = a.times(systems.values(found));
    double[] b = random(N, 6);
    for (int i = 0; i < N; i++) {
      r[i] -= b[i];
    }
    double normal = Math.sqrt(square(a.times(r)) / square(r));
    assertTrue(normal < 1e-7, "‖Ar‖/‖r‖ at the least-squares solution: " + normal);
  }

  @ParameterizedTest
  @CsvSource({
    "cg,1", "cg,9", "minres,1", "minres,8", "lissa,1", "lissa,13", "sgd,1", "sgd,7", "block-cg,1",
    "block-cg,9"
  })
  void stoppedAndResumedToTheSameBytes(String name, int stopAt, @TempDir Path dir) {
    MatrixOperator a = systems.spd(1e-2).split(3, 0.4);
    double[] b = random(N, 7);
    SolverOptions options = SolverOptions.of(1e-12, 25, 3);
    double[] whole = systems.values(solve(name, a, 1e-3, b, options));
    Interruption first = Interruption.after(stopAt);
    Solution stopped = solve(name, a, 1e-3, b, options, first);
    assertEquals(StopReason.INTERRUPTED, stopped.reason());
    assertEquals(stopAt, stopped.iterations());
    Path file = dir.resolve("state.safetensors");
    SafeTensors.write(file, first.saved, Map.of());
    try (SafeTensors read = SafeTensors.open(file)) {
      Map<String, Tensor> state = new HashMap<>();
      read.names().forEach(n -> state.put(n, read.get(n)));
      Solution resumed = solve(name, a, 1e-3, b, options, Interruption.resume(state));
      assertEquals(25, resumed.iterations());
      assertArrayEquals(whole, systems.values(resumed));
      Solution plain = solve(name, a, 1e-3, b, options);
      assertArrayEquals(plain.residualHistory(), resumed.residualHistory());
    }
  }

  @Test
  void stateOfAnotherSystemIsRefused() {
    MatrixOperator a = systems.spd(1e-2);
    Interruption first = Interruption.after(2);
    solve("cg", a, 1e-3, random(N, 8), SolverOptions.DEFAULT, first);
    Interruption second = Interruption.resume(first.saved);
    LetheException refused =
        assertThrows(
            LetheException.class,
            () -> solve("cg", a, 2e-3, random(N, 8), SolverOptions.DEFAULT, second));
    assertTrue(refused.getMessage().contains("belongs to another system"), refused.getMessage());
    assertThrows(
        LetheException.class,
        () -> solve("minres", a, 1e-3, random(N, 8), SolverOptions.DEFAULT, second));
  }

  @ParameterizedTest
  @ValueSource(strings = {"cg", "minres", "lissa", "sgd", "direct", "block-cg"})
  void zeroNeedsNoProduct(String name) {
    MatrixOperator a = systems.spd(1e-2);
    Solution found = solve(name, a, 0, new double[N], SolverOptions.DEFAULT);
    assertTrue(found.converged());
    assertEquals(0, found.products());
    assertArrayEquals(new double[N], systems.values(found));
  }

  @ParameterizedTest
  @ValueSource(strings = {"cg", "minres", "lissa", "sgd", "direct", "block-cg"})
  void productsAreCountedAndTimed(String name) {
    MatrixOperator a = systems.spd(1e-1);
    Solution found = solve(name, a, 0, random(N, 9), SolverOptions.of(1e-6, 300, 0));
    assertTrue(found.converged(), found.stop());
    assertEquals(a.products(), found.products());
    assertTrue(found.times().products() > 0 && found.times().vectors() > 0);
    assertEquals(found.iterations(), found.residualHistory().length);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cg", "minres", "lissa", "sgd", "direct", "block-cg"})
  void productsThatAreNotFiniteAreAnError(String name) {
    MatrixOperator a = systems.spd(1e-1);
    a.matrix[3][5] = Double.NaN;
    a = a.split(1, 0);
    MatrixOperator broken = a;
    LetheException e =
        assertThrows(
            LetheException.class,
            () -> solve(name, broken, 0, random(N, 9), SolverOptions.DEFAULT));
    assertTrue(e.getMessage().startsWith("solver " + name + ", iteration 1"), e.getMessage());
    assertTrue(e.getMessage().contains("not finite"), e.getMessage());
  }

  @Test
  void directRefusesWhatIsTooLargeAndNamesAnother() {
    MatrixOperator a = systems.spd(1e-1);
    SolverOptions small = new SolverOptions(1e-6, 10, 0, 20, N - 1);
    LetheException e =
        assertThrows(LetheException.class, () -> solve("direct", a, 0, random(N, 1), small));
    assertTrue(e.getMessage().contains("solver cg"), e.getMessage());
    assertTrue(e.getMessage().contains("at most 60 parameters"), e.getMessage());
  }

  @Test
  void truncationOfTheSeriesIsReportedAsDamping() {
    MatrixOperator a = systems.spd(1e-6);
    Solution found = solve("lissa", a, 0, random(N, 1), SolverOptions.of(1e-9, 50, 0));
    assertEquals(StopReason.MAX_ITERATIONS, found.reason());
    assertTrue(found.stop().contains("extra damping of 0.0"), found.stop());
  }

  @Test
  void unknownSolverNamesTheKnown() {
    LetheException e = assertThrows(LetheException.class, () -> Solvers.byName("newton"));
    assertTrue(e.getMessage().contains("cg, minres, lissa, sgd, direct, block-cg"), e.getMessage());
  }

  private MatrixOperator indefiniteMatrix() {
    double[] eigenvalues = MatrixOperator.logSpaced(N, 1e-2, 1);
    for (int i = 0; i < N; i += 3) {
      eigenvalues[i] = -eigenvalues[i];
    }
    return systems.withEigenvalues(eigenvalues);
  }

  private Solution solve(
      String name, MatrixOperator a, double damping, double[] b, SolverOptions options) {
    return solve(name, a, damping, b, options, SolverMonitor.NONE);
  }

  private Solution solve(
      String name,
      MatrixOperator a,
      double damping,
      double[] b,
      SolverOptions options,
      SolverMonitor monitor) {
    return Solvers.byName(name).solve(systems.problem(a, damping, b), options, monitor);
  }

  private double trueResidual(MatrixOperator a, double damping, Solution found, double[] b) {
    double[] r = MatrixSystems.rhs(a, damping, systems.values(found));
    for (int i = 0; i < N; i++) {
      r[i] -= b[i];
    }
    return Math.sqrt(square(r) / square(b));
  }

  private static double square(double[] x) {
    return MatrixOperator.dot(x, x);
  }

  private static double[] random(int n, long seed) {
    return new SplittableRandom(SEED + seed).doubles(n, -1, 1).toArray();
  }
}
