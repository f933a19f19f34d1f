package dev.lethe.curvature;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.solve.ConjugateGradient;
import dev.lethe.solve.Direct;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.Solution;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.SolverOptions;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** EK-FAC on a tiny random Llama. */
class EkfacTest {
  private static final long SEED = 78;

  @TempDir Path dir;
  private Backend backend;
  private Scope scope;
  private TinyModels.Tiny tiny;
  private LoraAdapter adapter;
  private AdaptedModel model;

  private void open(String device, String... targets) {
    backend = Backends.select(device, new BackendOptions(2));
    scope = backend.openScope("test");
    tiny = TinyModels.open(dir, new TinyModels.Dims(2, 12, 17, 2, 1, 23, 64, ""), backend, SEED);
    adapter = TinyModels.adapter(tiny.model(), 2, 4, List.of(targets), SEED);
    model = new AdaptedModel(tiny.model(), adapter);
  }

  @AfterEach
  void close() {
    scope.close();
    adapter.close();
    tiny.close();
    backend.close();
  }

  /** With one token, the second moments of each factor are a Kronecker product. */
  @Test
  void itIsExactForASingleTokenWithinEachMatrix() {
    open("reference", "down_proj");
    Sample sample = new Sample("one", new int[] {3, 8}, new int[] {Sample.IGNORED, 8}, "hash");
    double[][] rows = new double[60][];
    List<LoraLinear> layers = model.adapted();
    try (DrawnPass pass = new DrawnPass(model, List.of(sample), adapter.theta());
        FactorStatistics statistics = new FactorStatistics(backend, layers)) {
      pass.draw(rows.length, SEED, statistics, drawn -> fill(rows, drawn));
      EkfacBasis basis =
          new EkfacBasis(
              backend,
              model.layout().size(),
              statistics.blocks(layers));
      double[] eigenvalues = new double[(int) basis.parameters()];
      Ekfac.addSecondMoments(backend, basis, upload(rows), 1.0 / rows.length, eigenvalues);
      try (Ekfac ekfac = new Ekfac(backend, basis, eigenvalues)) {
        double[][] dense = dense(ekfac);
        for (EkfacBlock block : basis.blocks()) {
          requireBlock(dense, rows, block);
        }
      }
    }
  }

  private static void requireBlock(double[][] dense, double[][] rows, EkfacBlock block) {
    int from = (int) block.offset();
    int to = from + (int) (block.rows() * block.columns());
    double error = 0;
    double norm = 0;
    for (int a = from; a < to; a++) {
      for (int b = from; b < to; b++) {
        double exact = 0;
        for (double[] row : rows) {
          exact += row[a] * row[b] / rows.length;
        }
        error += Math.pow(dense[a][b] - exact, 2);
        norm += exact * exact;
      }
    }
    assertTrue(norm > 0, "an empty block at " + from);
    assertTrue(Math.sqrt(error / norm) < 1e-10, from + ": " + Math.sqrt(error / norm));
  }

  @Test
  void itIsSymmetricSemiDefiniteAndNearerToGaussNewtonThanTheDiagonal() {
    open("reference", "q_proj", "v_proj", "down_proj");
    DatasetLoss loss = loss(9);
    double[][] ggn;
    try (DatasetCurvature c =
        new DatasetCurvature(Curvature.GGN, loss, adapter.theta(), 9, MemoryBudget.NONE)) {
      ggn = dense(c);
    }
    try (Ekfac ekfac = new EkfacFit(loss, adapter.theta(), 9, SEED).fit()) {
      double[][] dense = dense(ekfac);
      double error = 0;
      double offDiagonal = 0;
      double trace = 0;
      double exactTrace = 0;
      for (int i = 0; i < dense.length; i++) {
        assertTrue(dense[i][i] >= -1e-15, "diagonal " + dense[i][i]);
        trace += dense[i][i];
        exactTrace += ggn[i][i];
        for (int j = 0; j < dense.length; j++) {
          assertEquals(dense[i][j], dense[j][i], 1e-12);
          error += Math.pow(dense[i][j] - ggn[i][j], 2);
          offDiagonal += i == j ? 0 : Math.pow(ggn[i][j], 2);
        }
      }
      for (double eigenvalue : ekfac.eigenvalues()) {
        assertTrue(eigenvalue >= 0, "eigenvalue " + eigenvalue);
      }
      assertEquals(exactTrace, trace, 0.25 * exactTrace, "seed " + SEED);
      assertTrue(error < offDiagonal, error + " against " + offDiagonal);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void productsOfManyVectorsAreThoseOfEachAndTheInverseUndoesThem(String device) {
    open(device, TinyModels.ALL_TARGETS.toArray(String[]::new));
    double bound = device.equals("reference") ? 1e-12 : 2e-5;
    try (Ekfac ekfac = new EkfacFit(loss(4), adapter.theta(), 4, SEED).fit()) {
      Tensor v = scope.allocate(backend.vectorType(), 3, model.layout().size());
      TinyModels.randomize(backend, v, 1, SEED);
      Tensor out = scope.allocate(backend.vectorType(), v.shape());
      ekfac.apply(v, out);
      assertEquals(3, ekfac.products());
      for (int j = 0; j < 3; j++) {
        Tensor single = scope.allocate(backend.vectorType(), 1, model.layout().size());
        ekfac.apply(v.slice(j, 1), single);
        assertArrayEquals(
            HostTensors.doubles(backend, single), HostTensors.doubles(backend, out.row(j)), 1e-12);
      }
      backend.vectors().axpy(0.3, v, out);
      Tensor back = scope.allocate(backend.vectorType(), v.shape());
      ekfac.applyInverse(out, 0.3, back);
      backend.vectors().axpy(-1, v, back);
      double error = backend.vectors().norm(back) / backend.vectors().norm(v);
      assertTrue(error < bound, "relative error " + error);
    }
  }

  @Test
  void theDirectSolverUsesItsInverseAndAgreesWithConjugateGradients() {
    open("reference", "o_proj", "up_proj");
    try (Ekfac ekfac = new EkfacFit(loss(5), adapter.theta(), 5, SEED).fit()) {
      Tensor b = scope.allocate(backend.vectorType(), model.layout().size());
      TinyModels.randomize(backend, b, 1, SEED);
      LinearProblem problem = new LinearProblem(backend, ekfac, 0.01, b, scope);
      SolverOptions options = new SolverOptions(1e-10, 400, 0, 20, 8);
      Solution direct = new Direct().solve(problem, options, SolverMonitor.NONE);
      Solution iterated = new ConjugateGradient().solve(problem, options, SolverMonitor.NONE);
      assertTrue(direct.converged() && iterated.converged());
      assertEquals(1, direct.iterations());
      backend.vectors().axpy(-1, direct.x(), iterated.x());
      assertTrue(
          backend.vectors().norm(iterated.x()) < 1e-8 * backend.vectors().norm(direct.x()));
    }
  }

  @Test
  void theSameSeedGivesTheSameBytesAndAnotherSeedOthers() {
    open("reference", "q_proj");
    double[] one = eigenvalues(1);
    assertArrayEquals(one, eigenvalues(1));
    assertTrue(!Arrays.equals(one, eigenvalues(2)));
  }

  private double[] eigenvalues(long seed) {
    try (Ekfac ekfac = new EkfacFit(loss(3), adapter.theta(), 3, seed).fit()) {
      return ekfac.eigenvalues();
    }
  }

  @Test
  void dampingThatIsNegativeIsRefused() {
    open("reference", "q_proj");
    try (Ekfac ekfac = new EkfacFit(loss(2), adapter.theta(), 2, SEED).fit()) {
      Tensor v = scope.allocate(backend.vectorType(), 1, model.layout().size());
      Tensor out = scope.allocate(backend.vectorType(), 1, model.layout().size());
      backend.vectors().fill(v, 1);
      assertThrows(LetheException.class, () -> ekfac.applyInverse(v, -1, out));
    }
  }

  private DatasetLoss loss(int count) {
    return new DatasetLoss(
        model, TinyModels.samples(count, 23, 4, 11, SEED), new BatchLimits(3, 25));
  }

  private double[][] dense(CurvatureOperator c) {
    int n = (int) c.dimension();
    Tensor unit = scope.allocate(backend.vectorType(), n, n);
    double[] ones = new double[n * n];
    for (int i = 0; i < n; i++) {
      ones[i * n + i] = 1;
    }
    HostTensors.upload(backend, ones, unit);
    Tensor out = scope.allocate(backend.vectorType(), n, n);
    c.apply(unit, out);
    double[][] matrix = new double[n][];
    fill(matrix, out);
    return matrix;
  }

  private void fill(double[][] rows, Tensor tensor) {
    for (int i = 0; i < rows.length; i++) {
      rows[i] = HostTensors.doubles(backend, tensor.row(i));
    }
  }

  private Tensor upload(double[][] rows) {
    Tensor tensor = scope.allocate(backend.vectorType(), rows.length, rows[0].length);
    for (int i = 0; i < rows.length; i++) {
      HostTensors.upload(backend, rows[i], tensor.row(i));
    }
    return tensor;
  }
}
