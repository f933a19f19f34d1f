package dev.lethe.curvature;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.Solution;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.SolverOptions;
import dev.lethe.solve.Solvers;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Curvatures of a data set on a tiny random Llama, in float64. */
class DatasetCurvatureTest {
  private static final MemoryBudget PLENTY = new MemoryBudget(1L << 30);
  private static final long SEED = 77;

  @TempDir Path dir;
  private Backend backend;
  private Scope scope;
  private TinyModels.Tiny tiny;
  private LoraAdapter adapter;
  private DatasetLoss loss;
  private Tensor theta;

  @BeforeEach
  void open() {
    backend = Backends.select("reference", BackendOptions.DEFAULT);
    scope = backend.openScope("test");
    tiny = TinyModels.open(dir, new TinyModels.Dims(2, 12, 17, 2, 1, 23, 64, ""), backend, SEED);
    adapter = TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "down_proj"), SEED);
    theta = adapter.theta();
    List<Sample> samples = TinyModels.samples(7, 23, 4, 11, SEED);
    loss =
        new DatasetLoss(
            new AdaptedModel(tiny.model(), adapter), samples, new BatchLimits(3, 25));
  }

  @AfterEach
  void close() {
    scope.close();
    adapter.close();
    tiny.close();
    backend.close();
  }

  @ParameterizedTest
  @EnumSource(value = Curvature.class, mode = EnumSource.Mode.EXCLUDE, names = "EKFAC")
  void keptAndRecomputedGiveTheSameBytes(Curvature kind) {
    Tensor v = random(3, 1);
    Tensor kept = productOf(curvature(kind, PLENTY), v);
    Tensor recomputed = productOf(curvature(kind, MemoryBudget.NONE), v);
    assertArrayEquals(values(kept), values(recomputed));
    try (DatasetCurvature all = curvature(kind, PLENTY)) {
      assertEquals(all.batches(), all.keptBatches());
      assertTrue(all.batches() >= 3, all.report());
      assertTrue(all.report().contains(all.batches() + " kept"), all.report());
    }
  }

  @Test
  void someBatchesAreKeptWithinTheBudget() {
    Tensor v = random(1, 2);
    Tensor out = zeros(1);
    Tensor other = zeros(1);
    loss.losses(theta); // fills the model's cache of rotary angles
    long before = backend.memoryUse().liveBytes();
    try (DatasetCurvature all = curvature(Curvature.GGN, PLENTY)) {
      long full = backend.memoryUse().liveBytes() - before;
      try (DatasetCurvature half = curvature(Curvature.GGN, new MemoryBudget(full * 2 / 3))) {
        long used = backend.memoryUse().liveBytes() - before - full;
        assertTrue(used <= full * 2 / 3, used + " of " + full);
        assertTrue(half.keptBatches() > 0 && half.keptBatches() < half.batches(), half.report());
        all.apply(v, out);
        half.apply(v, other);
        assertArrayEquals(values(out), values(other));
      }
    }
    assertEquals(before, backend.memoryUse().liveBytes());
  }

  @ParameterizedTest
  @EnumSource(value = Curvature.class, mode = EnumSource.Mode.EXCLUDE, names = "EKFAC")
  void batchCompositionChangesNothingButRounding(Curvature kind) {
    Tensor v = random(2, 3);
    Tensor one = productOf(curvature(kind, PLENTY), v);
    DatasetLoss whole = new DatasetLoss(loss.model(), loss.samples(), new BatchLimits(100, 1000));
    Tensor other = productOf(new DatasetCurvature(kind, whole, theta, 7, PLENTY), v);
    assertTrue(distance(one, other) < 1e-12, "distance " + distance(one, other));
  }

  @ParameterizedTest
  @EnumSource(value = Curvature.class, mode = EnumSource.Mode.EXCLUDE, names = "EKFAC")
  void theMeanOfTheBatchEstimatesIsTheProduct(Curvature kind) {
    Tensor v = random(1, 4);
    try (DatasetCurvature c = curvature(kind, PLENTY)) {
      Tensor whole = product(c, v);
      assertEquals(1, c.products());
      Tensor mean = zeros(1);
      Tensor part = zeros(1);
      for (int batch = 0; batch < c.batches(); batch++) {
        c.applyBatch(batch, v, part);
        backend.vectors().axpy(1.0 / c.batches(), part, mean);
      }
      assertEquals(2, c.products());
      assertTrue(distance(mean, whole) < 1e-12);
    }
  }

  @Test
  void hessianIsTheDerivativeOfTheGradient() {
    Tensor v = random(1, 5);
    Tensor product = productOf(curvature(Curvature.HESSIAN, PLENTY), v);
    Tensor slope = zeros(1);
    double h = 1e-5;
    for (int sign : new int[] {1, -1}) {
      Tensor moved = scope.allocate(backend.vectorType(), loss.parameters());
      backend.vectors().copy(theta, moved);
      backend.vectors().axpy(sign * h, v.row(0), moved);
      loss.addGradient(moved, sign / (2 * h * loss.size()), slope.row(0));
    }
    assertTrue(distance(product, slope) < 1e-7, "distance " + distance(product, slope));
  }

  @Test
  void fisherFactorHasPerSampleGradientsAsRows() {
    try (DatasetCurvature c = curvature(Curvature.FISHER, PLENTY)) {
      int n = c.factorRows();
      assertEquals(7, n);
      Tensor rows = zeros(n);
      c.factorRows(0, rows);
      loss.perSample(
          theta,
          (first, g) ->
              assertArrayEquals(values(g), values(rows.slice(first, g.dim(0))), 1e-14));
      Tensor middle = zeros(4);
      c.factorRows(2, middle);
      assertArrayEquals(values(rows.slice(2, 4)), values(middle));
      Tensor v = random(2, 6);
      Tensor dots = scope.allocate(backend.vectorType(), 2, n);
      c.factorDots(v, dots);
      double[][] separate = loss.dots(theta, List.of(v));
      Tensor out = zeros(2);
      c.addFactorCombination(dots, out);
      backend.vectors().scale(c.factorScale(), out);
      assertTrue(distance(out, product(c, v)) < 1e-12);
      for (int i = 0; i < n; i++) {
        double expected = backend.vectors().dot(rows.row(i), v.row(1));
        assertEquals(expected, dots.get(n + i), 1e-12);
        assertEquals(expected, separate[1][i], 1e-12);
      }
    }
  }

  @Test
  void gradientsAndLossesAgreeAcrossRoutes() {
    Tensor g = zeros(1).row(0);
    double[] losses = loss.addGradient(theta, 1.0 / 7, g);
    Tensor mean = zeros(1).row(0);
    loss.perSample(
        theta,
        (first, rows) -> {
          for (int i = 0; i < rows.dim(0); i++) {
            backend.vectors().axpy(1.0 / 7, rows.row(i), mean);
          }
        });
    Tensor fromKept = zeros(1).row(0);
    try (DatasetCurvature c = curvature(Curvature.GGN, PLENTY)) {
      assertArrayEquals(losses, c.addGradient(1.0 / 7, fromKept), 1e-13);
    }
    assertArrayEquals(losses, loss.losses(theta), 1e-13);
    assertTrue(distance(mean, g) < 1e-13 && distance(fromKept, g) < 1e-13);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.02, 0.5})
  void directThroughGramEqualsDenseAndConjugateGradients(double damping) {
    Tensor b = random(1, 7).row(0);
    try (DatasetCurvature c = curvature(Curvature.FISHER, PLENTY)) {
      LinearProblem problem = new LinearProblem(backend, c, damping, b, scope);
      SolverOptions options = SolverOptions.of(1e-10, 500, 0);
      Solution gram = Solvers.byName("direct").solve(problem, options, SolverMonitor.NONE);
      assertTrue(gram.converged(), gram.stop());
      assertTrue(gram.products() < 20, "Woodbury needs few products, not " + gram.products());
      Solution cg = Solvers.byName("cg").solve(problem, options, SolverMonitor.NONE);
      assertTrue(distance(gram.x(), cg.x()) < 1e-8);
      LinearProblem hidden = new LinearProblem(backend, opaque(c), damping, b, scope);
      Solution dense = Solvers.byName("direct").solve(hidden, options, SolverMonitor.NONE);
      assertTrue(dense.products() >= loss.parameters());
      assertTrue(distance(gram.x(), dense.x()) < 1e-8);
    }
  }

  @Test
  void aLossThatIsNotFiniteNamesTheSample() {
    theta.set(0, Double.NaN);
    LetheException e = assertThrows(LetheException.class, () -> loss.losses(theta));
    assertTrue(e.getMessage().startsWith("sample '0': the loss is not finite"), e.getMessage());
    assertThrows(LetheException.class, () -> curvature(Curvature.GGN, PLENTY));
  }

  @Test
  void unknownCurvatureNamesTheKnown() {
    LetheException e = assertThrows(LetheException.class, () -> Curvature.of("kfac"));
    assertTrue(e.getMessage().contains("ggn, hessian, fisher"), e.getMessage());
  }

  /** The same operator without its factor. */
  private static CurvatureOperator opaque(CurvatureOperator c) {
    return new CurvatureOperator() {
      @Override
      public String name() {
        return c.name();
      }

      @Override
      public long dimension() {
        return c.dimension();
      }

      @Override
      public void apply(Tensor v, Tensor out) {
        c.apply(v, out);
      }

      @Override
      public long products() {
        return c.products();
      }

      @Override
      public void close() {}
    };
  }

  private DatasetCurvature curvature(Curvature kind, MemoryBudget budget) {
    return new DatasetCurvature(kind, loss, theta, loss.size(), budget);
  }

  private Tensor product(DatasetCurvature c, Tensor v) {
    Tensor out = zeros(v.dim(0));
    c.apply(v, out);
    return out;
  }

  private Tensor productOf(DatasetCurvature c, Tensor v) {
    try (c) {
      return product(c, v);
    }
  }

  private Tensor random(long k, long seed) {
    Tensor v = scope.allocate(backend.vectorType(), k, loss.parameters());
    TinyModels.randomize(backend, v, 1, seed);
    return v;
  }

  private Tensor zeros(long k) {
    Tensor v = scope.allocate(backend.vectorType(), k, loss.parameters());
    backend.vectors().fill(v, 0);
    return v;
  }

  private double[] values(Tensor t) {
    return HostTensors.doubles(backend, t);
  }

  private double distance(Tensor x, Tensor y) {
    double[] a = values(x);
    double[] b = values(y);
    double difference = 0;
    double size = 0;
    for (int i = 0; i < a.length; i++) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      size += b[i] * b[i];
    }
    return Math.sqrt(difference / size);
  }
}
