package dev.lethe.unlearn.baseline;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.EkfacFit;
import dev.lethe.curvature.Ekfac;
import dev.lethe.data.Sample;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The methods' steps against their formulas, worked out densely. */
class ClosedFormsTest {
  private static BaselineFixture fixture;
  private static double[] start;

  @BeforeAll
  static void open(@TempDir Path dir) {
    fixture = new BaselineFixture(dir.resolve("model"), List.of("o_proj"));
    start = HostTensors.download(fixture.adapter).toDoubles();
  }

  @AfterAll
  static void close() {
    fixture.close();
  }

  @Test
  void aFirstStepOfAscentIsAdamWs() {
    double[] after =
        fixture.after(
            "gradient-ascent",
            Map.of("lr", 0.01, "epochs", 1.0, "batch", 3.0, "warmup-epochs", 0.0, "weight-decay", 0.5, "clip", 0.0));
    double[] g = gradient(fixture.request.forgotten());
    for (int i = 0; i < start.length; i++) {
      double up = -g[i] / 3;
      double expected = start[i] * (1 - 0.01 * 0.5) - 0.01 * up / (Math.abs(up) + 1e-8);
      assertEquals(expected, after[i], 1e-12);
    }
  }

  @Test
  void aWarmUpBeginsWithoutAStep() {
    Map<String, Double> settings = Map.of("epochs", 1.0, "batch", 3.0, "warmup-epochs", 1.0, "lr", 0.1);
    assertArrayEquals(start, fixture.after("gradient-ascent", settings), 0);
  }

  @Test
  void fineTuningIsTrainingOnTheTargetRows() {
    double[] after =
        fixture.after("fine-tune", Map.of("lr", 0.01, "epochs", 2.0, "batch", 4.0, "warmup-epochs", 0.0));
    try (LoraAdapter copy = fixture.adapter.copy()) {
      TrainOptions options =
          TrainOptions.builder().learningRate(0.01).epochs(2).batchSize(4).weightDecay(0.01).seed(7).build();
      new Trainer(fixture.model.with(copy), fixture.request.target(), options, TrainMonitor.NONE)
          .run(null, false);
      assertArrayEquals(HostTensors.download(copy).toDoubles(), after, 0);
    }
  }

  @Test
  void aTaskVectorIsTrainingBackward() {
    Map<String, Double> once = Map.of("lr", 0.01, "warmup-epochs", 0.0, "scale", 1.0);
    Map<String, Double> twice = Map.of("lr", 0.01, "warmup-epochs", 0.0, "scale", 2.0);
    double[] one = fixture.after("task-vector", once);
    double[] two = fixture.after("task-vector", twice);
    for (int i = 0; i < start.length; i++) {
      assertEquals(start[i] + 2 * (one[i] - start[i]), two[i], 1e-12);
    }
    List<Sample> forgotten = fixture.request.forgotten();
    double before = fixture.meanLoss(forgotten, fixture.adapter.theta());
    assertTrue(fixture.meanLoss(forgotten, fixture.device(one)) > before, "the loss on the forgotten rows rises");
  }

  /** (1/n) Σᵢ (λI + gᵢgᵢᵀ)⁻¹ b by n dense solves for each matrix. */
  @Test
  void dataInfIsTheMeanOfInverses() {
    double[] after = fixture.after("datainf", Map.of("damping-share", 0.3));
    double[] b = requestGradient();
    double[][] rows = fixture.data.stream().map(row -> gradient(List.of(row))).toArray(double[][]::new);
    for (ParameterLayout.Parameter matrix : fixture.adapter.layout().parameters()) {
      int from = (int) matrix.offset();
      int size = (int) matrix.shape().elements();
      double mean = 0;
      for (double[] g : rows) {
        for (int i = 0; i < size; i++) {
          mean += g[from + i] * g[from + i] / size / rows.length;
        }
      }
      double[] step = new double[size];
      for (double[] g : rows) {
        double[][] dense = new double[size][size + 1];
        for (int i = 0; i < size; i++) {
          for (int j = 0; j < size; j++) {
            dense[i][j] = g[from + i] * g[from + j] + (i == j ? 0.3 * mean : 0);
          }
          dense[i][size] = b[from + i];
        }
        double[] x = solved(dense);
        for (int i = 0; i < size; i++) {
          step[i] += x[i] / rows.length;
        }
      }
      for (int i = 0; i < size; i++) {
        assertEquals(step[i], after[from + i] - start[from + i], 1e-9 * Math.max(1, Math.abs(step[i])), matrix.name());
      }
    }
  }

  @Test
  void ekfacSolvesItsDampedSystem() {
    double[] after = fixture.after("ekfac", Map.of("damping-share", 0.2));
    requireSolved(fixture.data, 7, after);
  }

  @Test
  void aStepUphillSolvesThatOfTheRetainedRows() {
    double[] after = fixture.after("k-fade", Map.of("damping-share", 0.2, "steps", 1.0));
    long seed = SplitMix64.bits(7, 0);
    requireSolved(fixture.request.target(), seed, after);
    double[] further = fixture.after("k-fade", Map.of("damping-share", 0.2, "steps", 2.0));
    List<Sample> forgotten = fixture.request.forgotten();
    assertTrue(
        fixture.meanLoss(forgotten, fixture.device(further)) > fixture.meanLoss(forgotten, fixture.device(after)),
        "the second step goes on uphill");
  }

  @Test
  void costsAreCounted() {
    assertEquals(3 * 5, cost("gradient-ascent", Map.of("epochs", 5.0)));
    assertEquals(2 * 3 * 5, cost("grad-diff", Map.of("epochs", 5.0)));
    assertEquals(5 * (3 + 4.5), cost("kl-min", Map.of("epochs", 5.0)), 0.5);
    assertEquals(1.5 + 2 * 3 * 5, cost("npo", Map.of("epochs", 5.0)), 0.5);
    assertEquals(6 * 4, cost("fine-tune", Map.of("epochs", 4.0)));
    assertEquals(3 + 9 + 9, cost("datainf", Map.of()));
  }

  @Test
  void settingsAreChecked() {
    LetheException unknown = assertThrows(LetheException.class, () -> Baselines.of("npo", Map.of("bete", 1.0)));
    assertTrue(unknown.getMessage().contains("beta"), unknown.getMessage());
    LetheException range = assertThrows(LetheException.class, () -> Baselines.of("npo", Map.of("beta", 0.0)));
    assertTrue(range.getMessage().contains("above 0"), range.getMessage());
    assertThrows(LetheException.class, () -> Baselines.of("npo", Map.of("epochs", 1.5)));
    assertThrows(LetheException.class, () -> Baselines.of("npoo", Map.of()));
    assertEquals("0.1", Baselines.of("npo", Map.of()).settings().labels().get("beta"));
    LetheException layers = assertThrows(LetheException.class, () -> fixture.after("rmu", Map.of("layers", 3.0)));
    assertTrue(layers.getMessage().contains("1 to 2 layers"), layers.getMessage());
  }

  private static long cost(String name, Map<String, Double> settings) {
    BaselineWork work = fixture.work();
    try (LoraAdapter copy = fixture.adapter.copy()) {
      Baselines.of(name, settings).apply(work, copy);
    }
    return work.sampleGradients();
  }

  /** Whether (C + λI) x is b, C the EK-FAC curvature of the rows and λ a fifth of each matrix's mean eigenvalue. */
  private static void requireSolved(List<Sample> rows, long seed, double[] after) {
    double[] b = requestGradient();
    double[] x = new double[start.length];
    for (int i = 0; i < x.length; i++) {
      x[i] = after[i] - start[i];
    }
    DatasetLoss loss = new DatasetLoss(fixture.model, rows, new BatchLimits(2, 1000));
    try (Ekfac curvature = new EkfacFit(loss, fixture.adapter.theta(), rows.size(), seed).fit()) {
      Tensor out = fixture.device(new double[x.length]);
      curvature.apply(fixture.device(x).reshape(1, x.length), out.reshape(1, x.length));
      double[] product = fixture.host(out);
      double[] eigenvalues = curvature.eigenvalues();
      for (ParameterLayout.Parameter matrix : fixture.adapter.layout().parameters()) {
        int from = (int) matrix.offset();
        int size = (int) matrix.shape().elements();
        double mean = 0;
        for (int i = from; i < from + size; i++) {
          mean += eigenvalues[i] / size;
        }
        assertTrue(mean > 0, matrix.name());
        for (int i = from; i < from + size; i++) {
          assertEquals(b[i], product[i] + 0.2 * mean * x[i], 1e-10, matrix.name());
        }
      }
    }
  }

  private static double[] requestGradient() {
    double[] b = gradient(fixture.request.forgotten());
    for (int i = 0; i < b.length; i++) {
      b[i] /= fixture.data.size();
    }
    return b;
  }

  /** The sum of the rows' gradients. */
  private static double[] gradient(List<Sample> rows) {
    Tensor g = fixture.device(new double[start.length]);
    try (Batch batch = Batch.of(rows, fixture.backend)) {
      Gradients.addGradient(fixture.backend, fixture.model.tape(batch), fixture.adapter.theta(), 1, g);
    }
    return fixture.host(g);
  }

  /** Gauss elimination with pivots; the last column is the right-hand side. */
  private static double[] solved(double[][] rows) {
    int n = rows.length;
    for (int k = 0; k < n; k++) {
      int pivot = k;
      for (int i = k; i < n; i++) {
        pivot = Math.abs(rows[i][k]) > Math.abs(rows[pivot][k]) ? i : pivot;
      }
      double[] row = rows[pivot];
      rows[pivot] = rows[k];
      rows[k] = row;
      for (int i = 0; i < n; i++) {
        double factor = i == k ? 0 : rows[i][k] / row[k];
        for (int j = k; factor != 0 && j <= n; j++) {
          rows[i][j] -= factor * row[j];
        }
      }
    }
    double[] x = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] = rows[i][n] / rows[i][i];
    }
    return x;
  }
}
