package dev.lethe.curvature;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.MemoryException;
import dev.lethe.autograd.GradientStep;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.driver.FakeDriver;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.solve.ConjugateGradient;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.SolverOptions;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products and gradients as CUDA graphs, on the stand-in for the driver, whose kernels run in the emulator. */
class RecordedProductsTest {
  private static final MemoryBudget PLENTY = new MemoryBudget(1L << 28);
  private static final long SEED = 20_261_127;

  @TempDir Path dir;
  private FakeDriver driver;
  private Backend backend;
  private Scope scope;
  private TinyModels.Tiny tiny;
  private LoraAdapter adapter;
  private DatasetLoss loss;
  private Tensor theta;

  @BeforeEach
  void open() {
    driver = FakeDriver.open("devices=1");
    backend = Backends.select("cuda", new BackendOptions(0, DType.F32, 0));
    scope = backend.openScope("test");
    tiny = TinyModels.open(dir, new TinyModels.Dims(1, 32, 24, 2, 1, 19, 32, ""), backend, SEED);
    adapter = TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "down_proj"), SEED);
    theta = adapter.theta();
    List<Sample> samples = TinyModels.samples(5, 19, 4, 9, SEED);
    loss = new DatasetLoss(new AdaptedModel(tiny.model(), adapter), samples, new BatchLimits(3, 40));
  }

  @AfterEach
  void close() {
    if (backend != null) {
      scope.close();
      adapter.close();
      tiny.close();
      backend.close();
      assertEquals(0, driver.memoryInUse(), "device memory not given back");
      assertEquals(0, driver.live("executable"), "graphs not given back");
    }
    if (driver != null) {
      driver.close();
    }
  }

  @ParameterizedTest
  @EnumSource(value = Curvature.class, mode = EnumSource.Mode.EXCLUDE, names = "EKFAC")
  void aRepeatedProductIsOneGraphLaunchForEachBatch(Curvature kind) {
    Tensor v = random(1, 1);
    Tensor other = random(1, 2);
    double[] direct = recomputed(kind, v);
    double[] ofOther = recomputed(kind, other);
    try (DatasetCurvature c = curvature(kind, PLENTY)) {
      assertEquals(2, c.keptBatches());
      Tensor out = zeros(1);
      c.apply(v, out);
      assertArrayEquals(direct, values(out), "as run");
      drain();
      Calls before = Calls.of(driver);
      c.apply(v, out);
      Calls second = Calls.of(driver).minus(before);
      assertEquals(2, second.graphs, "one graph for each of 2 batches");
      assertEquals(0, second.allocations, "allocations of the second product");
      assertArrayEquals(direct, values(out), "as recorded");
      final long parameters = digestOf(() -> c.apply(v, out));
      before = Calls.of(driver);
      c.apply(v, out);
      Calls later = Calls.of(driver).minus(before);
      assertEquals(new Calls(2, 3, 0, 0), later, "two graphs, a kernel that clears each term, and one that adds the two");
      assertArrayEquals(direct, values(out), "as replayed");
      assertNotEquals(0, parameters);
      assertEquals(parameters, digestOf(() -> c.apply(v, out)), "parameters of the kernels");
      c.apply(other, out);
      assertArrayEquals(ofOther, values(out), "as replayed with another vector");
    }
  }

  @Test
  void eachNumberOfVectorsAndScaleHasItsRecording() {
    Tensor one = random(1, 3);
    Tensor two = random(2, 4);
    double[] direct = recomputed(Curvature.GGN, two);
    try (DatasetCurvature c = curvature(Curvature.GGN, PLENTY);
        DatasetCurvature fresh = curvature(Curvature.GGN, MemoryBudget.NONE)) {
      Tensor out = zeros(1);
      Tensor outs = zeros(2);
      Tensor part = zeros(1);
      fresh.applyBatch(1, one, part);
      double[] estimate = values(part);
      double[] single = recomputed(Curvature.GGN, one);
      for (int round = 0; round < 4; round++) {
        c.apply(one, out);
        c.apply(two, outs);
        c.applyBatch(1, one, part);
        assertArrayEquals(single, values(out), "round " + round);
        assertArrayEquals(direct, values(outs), "round " + round);
        assertArrayEquals(estimate, values(part), "round " + round);
      }
      assertEquals(4 * (1 + 2) + Math.ceilDiv(4 * 2, 5), c.products());
    }
  }

  /** What many batches keep in the driver's memory is bounded; those over the bound give the same sums without it. */
  @Test
  void theRecordingsUsedLastAreKept() {
    int batches = RecordedProducts.MOST_KEPT + 3;
    try (RecordedProducts products = new RecordedProducts(backend, "sums", loss.parameters())) {
      RecordedProducts.Vectors at = products.load(random(1, 5));
      backend.vectors().fill(at.out(), 0);
      for (int round = 0; round < 3; round++) {
        for (int batch = 0; batch < batches; batch++) {
          int same = batch % 2 == 0 ? batch : 0;
          products.add(same, at, 1, (v, scale, out) -> backend.vectors().axpby(scale, v, 1, out));
        }
      }
      for (int batch = 0; batch < batches; batch++) {
        for (int twice = 0; twice < 2; twice++) {
          products.add(batch, at, 1, (v, scale, out) -> backend.vectors().axpby(scale, v, 1, out));
        }
      }
      assertEquals(RecordedProducts.MOST_KEPT, driver.live("executable"));
      assertEquals(RecordedProducts.MOST_KEPT, driver.live("node"), "a launch in each");
      double[] v = values(at.v());
      double[] sum = values(at.out());
      for (int i = 0; i < v.length; i++) {
        assertEquals((3 + 2) * batches * v[i], sum[i], 1e-3);
      }
    }
  }

  @Test
  void aSolveAllocatesNothingAfterItsFirstIterations() {
    List<Calls> calls = new ArrayList<>();
    SolverMonitor monitor =
        new SolverMonitor() {
          @Override
          public void onIteration(int iteration, double relativeResidual) {
            calls.add(Calls.of(driver));
          }
        };
    try (DatasetCurvature c = curvature(Curvature.GGN, PLENTY)) {
      LinearProblem problem = new LinearProblem(backend, c, 0.1, random(1, 7).row(0), scope);
      new ConjugateGradient().solve(problem, SolverOptions.of(1e-9, 8, 0), monitor);
    }
    assertTrue(calls.size() > 4, "only " + calls);
    for (int i = 2; i < 5; i++) {
      Calls iteration = calls.get(i).minus(calls.get(i - 1));
      assertEquals(2, iteration.graphs, "graphs of iteration " + (i + 1));
      assertEquals(0, iteration.allocations, "allocations of iteration " + (i + 1));
      assertEquals(0, iteration.uploads, "uploads of iteration " + (i + 1));
    }
  }

  @Test
  void batchesThatAreNotKeptRunBesideRecordings() {
    Tensor v = random(1, 5);
    double[] direct = recomputed(Curvature.HESSIAN, v);
    long before = backend.memoryUse().liveBytes();
    long all;
    try (DatasetCurvature c = curvature(Curvature.HESSIAN, PLENTY)) {
      all = backend.memoryUse().liveBytes() - before;
    }
    try (DatasetCurvature c = curvature(Curvature.HESSIAN, new MemoryBudget(all * 4 / 5))) {
      assertEquals(1, c.keptBatches(), c.report());
      Tensor out = zeros(1);
      for (int round = 0; round < 4; round++) {
        c.apply(v, out);
        assertArrayEquals(direct, values(out), "round " + round);
      }
    }
  }

  @Test
  void aRepeatedGradientIsOneGraphLaunch() {
    try (Batch batch = Batch.of(loss.samples(), backend)) {
      Tensor g = zeros(1).row(0);
      AdaptedModel model = loss.model();
      Tensor at = random(1, 6).row(0);
      double[][] expected = new double[4][];
      DatasetLoss whole = new DatasetLoss(model, loss.samples(), new BatchLimits(9, 90));
      for (int round = 0; round < 4; round++) {
        backend.vectors().fill(g, 0);
        whole.addGradient(shifted(at, round), 0.5, g);
        expected[round] = values(g);
      }
      Tensor moving = zeros(1).row(0);
      try (GradientStep step = new GradientStep(backend, model.tape(batch), moving, 0.5, g)) {
        for (int round = 0; round < 4; round++) {
          backend.vectors().copy(shifted(at, round), moving);
          backend.vectors().fill(g, 0);
          drain();
          Calls before = Calls.of(driver);
          double[] losses = step.add();
          Calls calls = Calls.of(driver).minus(before);
          assertArrayEquals(expected[round], values(g), "round " + round);
          assertArrayEquals(whole.losses(moving), losses, "losses of round " + round);
          assertEquals(round > 0, step.recorded());
          assertEquals(round > 0 ? 1 : 0, calls.graphs, "graphs of round " + round);
          assertTrue(round == 0 || calls.allocations == 0, "allocations of round " + round);
        }
      }
    }
  }

  @Test
  void outOfMemorySaysWhatIsWantedWhatThereIsAndWhichBatchToTry() {
    Tensor v = random(1, 8);
    Tensor out = zeros(1);
    try (Scope filler = backend.openScope("filler");
        DatasetCurvature c = curvature(Curvature.GGN, MemoryBudget.NONE)) {
      for (long free = free(); free > 8192; free = free()) {
        filler.allocate(DType.F32, free / 8);
      }
      MemoryException e = assertThrows(MemoryException.class, () -> c.apply(v, out));
      assertTrue(e.getMessage().startsWith("Fake GPU has 0 MiB of 1,024 MiB left"), e.getMessage());
      assertTrue(e.getMessage().contains("a batch of 3 samples with"), e.getMessage());
      assertTrue(e.getMessage().contains("--batch-tokens "), e.getMessage());
    }
    assertArrayEquals(recomputed(Curvature.GGN, v), recomputed(Curvature.GGN, v));
  }

  private long free() {
    return backend.freeMemory().orElseThrow();
  }

  @Test
  void theAutomaticBudgetIsOfTheDevice() {
    long free = free();
    assertTrue(free < 1L << 30, "more than the device has: " + free);
    assertEquals(free / 2, MemoryBudget.automatic(backend).bytes());
  }

  /** Calls that work for the device is queued by, and device allocations. */
  private record Calls(long graphs, long launches, long allocations, long uploads) {
    private static Calls of(FakeDriver driver) {
      return new Calls(
          driver.calls("cuGraphLaunch"),
          driver.calls("cuLaunchKernel"),
          driver.calls("cuMemAlloc_v2"),
          driver.calls("cuMemcpyHtoDAsync_v2"));
    }

    private Calls minus(Calls before) {
      return new Calls(
          graphs - before.graphs,
          launches - before.launches,
          allocations - before.allocations,
          uploads - before.uploads);
    }
  }

  /** θ of a round. */
  private Tensor shifted(Tensor at, int round) {
    Tensor moved = zeros(1).row(0);
    backend.vectors().axpy(1 + 0.1 * round, at, moved);
    return moved;
  }

  private long digestOf(Runnable work) {
    drain();
    driver.digest();
    work.run();
    drain();
    return driver.digest();
  }

  /** Waits for the device. */
  private void drain() {
    values(theta);
  }

  private double[] recomputed(Curvature kind, Tensor v) {
    try (DatasetCurvature c = curvature(kind, MemoryBudget.NONE)) {
      Tensor out = zeros(v.dim(0));
      c.apply(v, out);
      return values(out);
    }
  }

  private DatasetCurvature curvature(Curvature kind, MemoryBudget budget) {
    return new DatasetCurvature(kind, loss, theta, loss.size(), budget);
  }

  private Tensor random(long k, long seed) {
    Tensor v = scope.allocate(backend.vectorType(), k, loss.parameters());
    TinyModels.randomize(backend, v, 0.3, SEED + seed);
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
}
