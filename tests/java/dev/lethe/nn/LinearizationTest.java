package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.KernelTime;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.data.Sample;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** When a linearization runs backward, and gradients with labels that are drawn from the model. */
class LinearizationTest {
  private static final long SEED = 515;
  private static final Dims DIMS = new Dims(2, 8, 7, 2, 1, 11, 32, "");

  @TempDir Path dir;
  private final List<Sample> samples = TinyModels.samples(3, 11, 3, 6, SEED);
  private Backend backend;
  private Scope scope;
  private Tiny tiny;
  private LoraAdapter adapter;
  private AdaptedModel model;
  private Batch batch;
  private Tape tape;

  @BeforeEach
  void open() {
    backend =
        Backends.select("reference", new BackendOptions(0, DType.F64, -1, true));
    scope = backend.openScope("test");
    tiny = TinyModels.open(dir, DIMS, backend, SEED);
    adapter = TinyModels.adapter(tiny.model(), 1, 2, List.of("v_proj", "down_proj"), SEED);
    model = new AdaptedModel(tiny.model(), adapter);
    batch = Batch.of(samples, backend);
    tape = model.tape(batch);
  }

  @AfterEach
  void close() {
    batch.close();
    scope.close();
    adapter.close();
    tiny.close();
    assertEquals(0, backend.memoryUse().liveBytes(), "nothing is left behind");
    backend.close();
  }

  @ParameterizedTest
  @EnumSource(Adjoints.class)
  void whatIsKeptChangesNoByteOfAnyDerivative(Adjoints wanted) {
    Tensor v = random(2);
    double[][] lazily = derivatives(new Linearization(backend, tape, adapter.theta()), v);
    double[][] prepared =
        derivatives(new Linearization(backend, tape, adapter.theta(), wanted), v);
    for (int i = 0; i < lazily.length; i++) {
      assertArrayEquals(lazily[i], prepared[i], "derivative " + i + " with " + wanted);
    }
  }

  @Test
  void gaussNewtonProductsAndTangentsRunNoBackwardOfTheLosses() {
    Tensor v = random(1);
    long once = backwardCalls(at -> at.ggn(v, scope), Adjoints.NONE);
    assertEquals(once, backwardCalls(at -> at.ggn(v, scope), null));
    assertEquals(0, backwardCalls(at -> at.jvp(v), null));
    assertEquals(once, backwardCalls(at -> at.gradient(scope), null));
    assertEquals(once, backwardCalls(at -> at.gradient(scope), Adjoints.ALL));
    assertTrue(once > 0);
  }

  @Test
  void adjointsAreMadeOnceAndOnlyThoseThatAreRead() {
    Tensor v = random(1);
    Tensor rows = rows(2);
    try (Linearization at = new Linearization(backend, tape, adapter.theta())) {
      final long forward = kept(at, (x, own) -> x.ggn(v, own));
      long adapters = kept(at, (x, own) -> x.fisher(v, own));
      assertTrue(forward < adapters, forward + " and " + adapters);
      assertEquals(0, calls("lora.backward", () -> at.perSampleGradients(scope)));
      long all = kept(at, (x, own) -> x.hvp(v, own));
      assertTrue(adapters < all, adapters + " and " + all);
      assertEquals(all, kept(at, (x, own) -> x.fisher(v, own)));
      assertEquals(all, kept(at, (x, own) -> x.hvp(v, own)));
    }
    try (Linearization at = new Linearization(backend, tape, adapter.theta(), Adjoints.NONE)) {
      long forward = kept(at, (x, own) -> x.ggn(v, own));
      assertEquals(forward, kept(at, (x, own) -> x.gradient(own)));
      assertEquals(forward, kept(at, (x, own) -> x.drawnGradients(1, rows)));
    }
  }

  /** A row's gradient is that of the sample with its labels drawn, times the root of its supervised rows. */
  @Test
  void drawnGradientsAreThoseOfTheDrawnLabels() {
    long seed = 99;
    int draws = 3;
    Tensor rows = rows(draws);
    try (Linearization at = new Linearization(backend, tape, adapter.theta())) {
      at.drawnGradients(seed, rows);
    }
    Tensor p = Gradients.probabilities(backend, tape, adapter.theta());
    for (int j = 0; j < draws; j++) {
      int row = 0;
      for (int i = 0; i < samples.size(); i++) {
        Sample sample = samples.get(i);
        int[] labels = sample.labels().clone();
        int supervised = 0;
        for (int t = 1; t < labels.length; t++) {
          if (labels[t] != Sample.IGNORED) {
            labels[t] = drawn(p.row(row).toDoubles(), LossKernels.uniform(seed, j, row));
            row++;
            supervised++;
          }
        }
        double[] expected = gradient(new Sample("drawn", sample.inputIds(), labels, ""));
        for (int c = 0; c < expected.length; c++) {
          expected[c] *= Math.sqrt(supervised);
        }
        assertArrayEquals(expected, rows.row((long) j * samples.size() + i).toDoubles(), 1e-12);
      }
    }
  }

  @Test
  void outerProductsOfDrawnGradientsHaveTheGaussNewtonMatrixAsTheirMean() {
    int size = Math.toIntExact(model.layout().size());
    double[][] expected;
    double[][] mean = new double[size][size];
    try (Linearization at = new Linearization(backend, tape, adapter.theta())) {
      Tensor unit = scope.allocate(backend.vectorType(), size, size);
      double[] values = new double[size * size];
      for (int i = 0; i < size; i++) {
        values[i * (size + 1)] = samples.size();
      }
      backend.upload(Tensor.of(unit.shape(), values), unit);
      Tensor dense = at.ggn(unit, scope);
      expected = new double[size][];
      Arrays.setAll(expected, i -> dense.row(i).toDoubles());
      int draws = 40_000;
      int together = 1000;
      Tensor rows = rows(together);
      for (int done = 0; done < draws; done += together) {
        at.drawnGradients(SEED + done, rows);
        for (int r = 0; r < rows.dim(0); r++) {
          addOuter(1.0 / draws, rows.row(r).toDoubles(), mean);
        }
      }
    }
    double error = 0;
    double norm = 0;
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        error += Math.pow(mean[i][j] - expected[i][j], 2);
        norm += Math.pow(expected[i][j], 2);
      }
    }
    assertTrue(Math.sqrt(error / norm) <= .03, "relative error " + Math.sqrt(error / norm));
  }

  /** What a linearization keeps after some work. */
  private long kept(Linearization at, BiConsumer<Linearization, Scope> work) {
    try (Scope results = backend.openScope("results")) {
      work.accept(at, results);
    }
    return backend.memoryUse().liveBytes();
  }

  private double[][] derivatives(Linearization at, Tensor v) {
    try (at) {
      List<double[]> results = new ArrayList<>();
      results.add(at.losses());
      results.add(at.ggn(v, scope).toDoubles());
      results.add(at.gradient(scope).toDoubles());
      results.add(at.perSampleGradients(scope).toDoubles());
      results.add(at.fisher(v, scope).toDoubles());
      Tensor drawn = rows(2);
      at.drawnGradients(7, drawn);
      results.add(drawn.toDoubles());
      at.forEachAdapter((slot, xa, u, h, gy) -> results.add(gy.toDoubles()));
      results.add(at.hvp(v, scope).toDoubles());
      return results.toArray(double[][]::new);
    }
  }

  /** Backward calls of one use; wanted null: adjoints as they are read. */
  private long backwardCalls(Consumer<Linearization> use, Adjoints wanted) {
    return calls(
        "lora.backward",
        () -> {
          try (Linearization at =
              wanted == null
                  ? new Linearization(backend, tape, adapter.theta())
                  : new Linearization(backend, tape, adapter.theta(), wanted)) {
            use.accept(at);
          }
        });
  }

  private long calls(String kernel, Runnable work) {
    backend.takeKernelTimes();
    work.run();
    return backend.takeKernelTimes().stream()
        .filter(time -> time.kernel().equals(kernel))
        .mapToLong(KernelTime::calls)
        .sum();
  }

  private double[] gradient(Sample sample) {
    try (Batch one = Batch.of(List.of(sample), backend)) {
      Tensor g = scope.allocate(backend.vectorType(), model.layout().size());
      backend.vectors().fill(g, 0);
      Gradients.addGradient(backend, model.tape(one), adapter.theta(), 1, g);
      return g.toDoubles();
    }
  }

  private static int drawn(double[] p, double uniform) {
    double bound = uniform * Arrays.stream(p).sum();
    double sum = 0;
    for (int label = 0; label < p.length; label++) {
      sum += p[label];
      if (sum > bound) {
        return label;
      }
    }
    return p.length - 1;
  }

  private static void addOuter(double scale, double[] g, double[][] sum) {
    for (int i = 0; i < g.length; i++) {
      for (int j = 0; j < g.length; j++) {
        sum[i][j] += scale * g[i] * g[j];
      }
    }
  }

  private Tensor rows(int draws) {
    return scope.allocate(
        backend.vectorType(), (long) draws * samples.size(), model.layout().size());
  }

  private Tensor random(int k) {
    Tensor v = scope.allocate(backend.vectorType(), k, model.layout().size());
    TinyModels.randomize(backend, v, 1, SEED + k);
    return v;
  }
}
