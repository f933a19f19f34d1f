package dev.lethe.unlearn.baseline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Gradients;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The objectives' gradients against central differences of their formulas, written down here once more. */
class ObjectivesTest {
  private static final double STEP = 1e-5;
  private static final int[] PLACES = {2, 0};

  private static BaselineFixture fixture;
  private static Tensor original;
  private static Tensor theta;
  private static List<Sample> forgotten;
  private static List<Sample> preferred;
  private static List<Sample> retained;

  @BeforeAll
  static void open(@TempDir Path dir) {
    fixture = new BaselineFixture(dir.resolve("model"), TinyModels.ALL_TARGETS);
    original = fixture.moved(1);
    theta = fixture.moved(2);
    forgotten = List.of(fixture.request.forgotten().get(2), fixture.request.forgotten().get(0));
    preferred = List.of(fixture.preferred.get(2), fixture.preferred.get(0));
    retained = fixture.request.target().subList(1, 4);
  }

  @AfterAll
  static void close() {
    fixture.close();
  }

  @Test
  void gradientAscent() {
    check("gradient-ascent", Map.of(), at -> -fixture.meanLoss(forgotten, at));
  }

  @Test
  void gradientDifference() {
    check(
        "grad-diff",
        Map.of("forget-weight", 0.7, "retain-weight", 1.3),
        at -> -0.7 * fixture.meanLoss(forgotten, at) + 1.3 * fixture.meanLoss(retained, at));
  }

  @Test
  void klMinimisation() {
    check(
        "kl-min",
        Map.of("forget-weight", 0.5, "retain-weight", 2.0),
        at -> -0.5 * fixture.meanLoss(forgotten, at) + 2 * divergence(at));
  }

  @Test
  void npo() {
    double beta = 0.3;
    check(
        "npo",
        Map.of("beta", beta, "retain-weight", 0.6),
        at -> {
          double[] now = summed(forgotten, at);
          double[] before = summed(forgotten, original);
          double sum = 0;
          for (int i = 0; i < now.length; i++) {
            sum -= 2 / beta * logSigmoid(beta * (now[i] - before[i])) / now.length;
          }
          return sum + 0.6 * fixture.meanLoss(retained, at);
        });
  }

  @Test
  void simNpo() {
    double beta = 2.5;
    check(
        "simnpo",
        Map.of("beta", beta, "delta", 0.4, "forget-weight", 0.5, "retain-weight", 0.25),
        at -> {
          double sum = 0;
          for (double loss : fixture.losses(forgotten, at)) {
            sum -= 2 / beta * logSigmoid(beta * (loss - 0.4)) / forgotten.size();
          }
          return 0.5 * sum + 0.25 * fixture.meanLoss(retained, at);
        });
  }

  @Test
  void idkDpo() {
    double beta = 0.2;
    check(
        "idk-dpo",
        Map.of("beta", beta, "forget-weight", 1.5),
        at -> {
          double[] lost = summed(forgotten, at);
          double[] lostBefore = summed(forgotten, original);
          double[] won = summed(preferred, at);
          double[] wonBefore = summed(preferred, original);
          double sum = 0;
          for (int i = 0; i < lost.length; i++) {
            double margin = -(won[i] - wonBefore[i]) + (lost[i] - lostBefore[i]);
            sum -= 2 / beta * logSigmoid(beta * margin) / lost.length;
          }
          return 1.5 * sum + fixture.meanLoss(retained, at);
        });
  }

  @Test
  void rmu() {
    int layers = 1;
    SplittableRandom random = new SplittableRandom(7);
    double[] u = random.doubles(12).toArray();
    double norm = Math.sqrt(Arrays.stream(u).map(x -> x * x).sum());
    check(
        "rmu",
        Map.of("steering", 3.0, "retain-weight", 4.0, "layers", (double) layers),
        at -> {
          double sum = 0;
          for (Sample row : forgotten) {
            double[] h = hidden(row, layers, at);
            for (int i = 0; i < h.length; i++) {
              double distance = h[i] - 3 * u[i % 12] / norm;
              sum += distance * distance / h.length / forgotten.size();
            }
          }
          for (Sample row : retained) {
            double[] h = hidden(row, layers, at);
            double[] before = hidden(row, layers, original);
            for (int i = 0; i < h.length; i++) {
              sum += 4 * (h[i] - before[i]) * (h[i] - before[i]) / h.length / retained.size();
            }
          }
          return sum;
        });
  }

  @Test
  void aDivergenceFromItselfHasNoGradient() {
    double[] g = new double[fixture.host(theta).length];
    Tensor gradient = fixture.device(g);
    fixture.work().addDivergenceGradient(retained, theta, theta, 1, gradient);
    for (double each : fixture.host(gradient)) {
      assertEquals(0, each, 1e-15);
    }
  }

  private static void check(String name, Map<String, Double> settings, ToDoubleFunction<Tensor> loss) {
    DescentBaseline method = (DescentBaseline) Baselines.of(name, settings);
    BaselineWork work = fixture.work();
    double[] at = fixture.host(theta);
    double[] v = new double[at.length];
    SplittableRandom random = new SplittableRandom(11);
    for (int i = 0; i < v.length; i++) {
      v[i] = random.nextGaussian();
    }
    Tensor g = fixture.device(new double[at.length]);
    method.objective(work, original).addGradient(PLACES, retained, theta, g);
    double[] gradient = fixture.host(g);
    double slope = 0;
    double size = 0;
    for (int i = 0; i < v.length; i++) {
      slope += gradient[i] * v[i];
      size += gradient[i] * gradient[i];
    }
    double difference = (loss.applyAsDouble(along(at, v, STEP)) - loss.applyAsDouble(along(at, v, -STEP))) / (2 * STEP);
    assertTrue(size > 1e-6, "a gradient that is not 0");
    assertEquals(difference, slope, 1e-6 * Math.max(1, Math.sqrt(size)), name);
    assertTrue(work.sampleGradients() >= forgotten.size(), "the rows are counted");
  }

  private static Tensor along(double[] at, double[] v, double step) {
    double[] moved = at.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += step * v[i];
    }
    return fixture.device(moved);
  }

  private static double[] summed(List<Sample> rows, Tensor at) {
    double[] losses = fixture.losses(rows, at);
    for (int i = 0; i < losses.length; i++) {
      losses[i] *= rows.get(i).supervised();
    }
    return losses;
  }

  private static double divergence(Tensor at) {
    double sum = 0;
    for (Sample row : retained) {
      double[][] p = fixture.probabilities(row, original);
      double[][] q = fixture.probabilities(row, at);
      for (int t = 0; t < p.length; t++) {
        for (int j = 0; j < p[t].length; j++) {
          sum += p[t][j] * Math.log(p[t][j] / q[t][j]) / p.length / retained.size();
        }
      }
    }
    return sum;
  }

  private static double[] hidden(Sample row, int layers, Tensor at) {
    try (Batch batch = Batch.of(List.of(row), fixture.backend)) {
      AdaptedModel.HiddenTape hidden = fixture.model.hiddenTape(batch, layers);
      Tensor host =
          HostTensors.zeros(
              fixture.backend.activationType(),
              Shape.of(hidden.states().rows(), hidden.states().width()));
      Gradients.value(fixture.backend, hidden.tape(), at, hidden.states(), host);
      return host.toDoubles();
    }
  }

  private static double logSigmoid(double x) {
    return -Math.log1p(Math.exp(-x));
  }
}
