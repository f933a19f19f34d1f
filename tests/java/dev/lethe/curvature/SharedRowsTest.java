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
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.data.work.ThreadWorkers;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What several copies of a model share has the bytes of one. */
class SharedRowsTest {
  private static final long SEED = 31;
  private static final int VOCABULARY = 23;
  private static final BatchLimits LIMITS = new BatchLimits(3, 40);

  @TempDir Path dir;

  /** A backend with the model and an adapter on it. */
  private final class Copy implements AutoCloseable {
    private final Backend backend;
    private final TinyModels.Tiny tiny;
    private final LoraAdapter adapter;
    private final AdaptedModel model;

    Copy(String device) {
      backend = Backends.select(device, new BackendOptions(1));
      tiny =
          TinyModels.open(
              dir.resolve("model"), new TinyModels.Dims(2, 12, 17, 2, 1, VOCABULARY, 64, ""), backend, SEED);
      adapter = TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "down_proj"), SEED);
      model = new AdaptedModel(tiny.model(), adapter);
    }

    @Override
    public void close() {
      adapter.close();
      tiny.close();
      backend.close();
    }
  }

  private record Results(
      double[] losses, double[] gradient, double[] perSample, double[][] dots, List<double[]> products) {}

  private Results results(AdaptedModel model, List<Sample> rows) {
    DatasetLoss loss = new DatasetLoss(model, rows, LIMITS);
    Backend backend = model.backend();
    Tensor theta = model.adapter().theta();
    try (Scope scope = backend.openScope("test")) {
      Tensor v = scope.allocate(backend.vectorType(), 2, theta.elements());
      TinyModels.randomize(backend, v, 1, SEED);
      Tensor g = scope.allocate(backend.vectorType(), theta.elements());
      backend.vectors().fill(g, 0);
      assertArrayEquals(loss.losses(theta), loss.addGradient(theta, 0.25, g));
      double[] each = new double[Math.toIntExact(rows.size() * theta.elements())];
      loss.perSample(
          theta,
          (first, part) -> {
            double[] values = HostTensors.doubles(backend, part);
            System.arraycopy(values, 0, each, Math.toIntExact(first * theta.elements()), values.length);
          });
      List<double[]> products = new ArrayList<>();
      for (Curvature kind : List.of(Curvature.GGN, Curvature.HESSIAN, Curvature.FISHER)) {
        Tensor out = scope.allocate(backend.vectorType(), v.shape());
        try (CurvatureOperator c = kind.over(loss, theta, 17, new MemoryBudget(1 << 28), 0)) {
          for (int i = 0; i < 2; i++) {
            c.apply(v, out);
            products.add(HostTensors.doubles(backend, out));
          }
          assertEquals(4, c.products());
        }
      }
      return new Results(
          loss.losses(theta),
          HostTensors.doubles(backend, g),
          each,
          loss.dots(theta, List.of(v, v.slice(1, 1))),
          products);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "reference"})
  void anyNumberOfWorkersGivesTheSameBytes(String device) {
    try (Copy alone = new Copy(device);
        Copy one = new Copy(device);
        Copy two = new Copy(device);
        Copy three = new Copy(device)) {
      List<AdaptedModel> copies = List.of(one.model, two.model, three.model);
      for (int rows : List.of(1, 5, 19)) {
        List<Sample> samples = TinyModels.samples(rows, VOCABULARY, 4, 11, SEED + rows);
        alone.model.shareWith(null);
        Results expected = results(alone.model, samples);
        for (int workers = 1; workers <= copies.size(); workers++) {
          try (RowWorkers<AdaptedModel> team = team(copies.subList(0, workers))) {
            alone.model.shareWith(team);
            Results got = results(alone.model, samples);
            String what = rows + " rows, " + workers + " workers";
            assertArrayEquals(expected.losses, got.losses, what);
            assertArrayEquals(expected.gradient, got.gradient, what);
            assertArrayEquals(expected.perSample, got.perSample, what);
            assertArrayEquals(expected.dots, got.dots, what);
            for (int i = 0; i < expected.products.size(); i++) {
              assertArrayEquals(expected.products.get(i), got.products.get(i), what + ", product " + i);
            }
          }
        }
      }
      assertEquals(0, held(one, two, three), "what workers keep is given back");
    }
  }

  private static RowWorkers<AdaptedModel> team(List<AdaptedModel> models) {
    return new ThreadWorkers<>(
        models.stream()
            .<Supplier<RowWorker<AdaptedModel>>>map(model -> () -> new RowWorker<>(model, () -> {}))
            .toList());
  }

  /** Bytes beyond what the model and adapter of each copy take. */
  private static long held(Copy... copies) {
    long bytes = 0;
    for (Copy copy : copies) {
      bytes += copy.backend.memoryUse().liveBytes() - copies[0].backend.memoryUse().liveBytes();
    }
    return bytes;
  }

  @Test
  void aWorkersRefusalNamesTheSample() {
    try (Copy alone = new Copy("cpu");
        Copy one = new Copy("cpu")) {
      List<Sample> samples = TinyModels.samples(9, VOCABULARY, 4, 11, SEED);
      try (RowWorkers<AdaptedModel> team = team(List.of(one.model))) {
        alone.model.shareWith(team);
        alone.backend.vectors().fill(alone.adapter.theta(), Double.NaN);
        LetheException refusal =
            assertThrows(
                LetheException.class,
                () -> new DatasetLoss(alone.model, samples, LIMITS).losses(alone.adapter.theta()));
        assertTrue(refusal.getMessage().contains("sample '" + samples.getFirst().id() + "'"), refusal::toString);
      }
    }
  }
}
