package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetCurvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many products of a whole Llama in one pass are the single ones. */
class BlockProductsTest {
  private static final long SEED = 20_261_126;
  private static final int K = 9;
  private static final Dims DIMS = new Dims(2, 64, 48, 2, 1, 151, 64, "");

  @TempDir Path dir;

  /** In host memory to the byte; on a device to what its products round. */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu", "emulator"})
  void manyAreTheSingles(String device) {
    boolean emulated = device.equals("emulator");
    try (Backend backend =
            emulated
                ? EmulatedBackends.open(DType.F32)
                : Backends.select(device, BackendOptions.DEFAULT);
        Setup s = new Setup(backend, dir);
        Batch batch = Batch.of(TinyModels.samples(3, 151, 5, 21, SEED), backend);
        Linearization at =
            new Linearization(backend, s.adapted.tape(batch), s.adapter.theta())) {
      Tensor v = s.random(emulated ? 3 : K);
      double[][] hvp = rows(backend, at.hvp(v, s.scope));
      double[][] ggn = rows(backend, at.ggn(v, s.scope));
      double[][] fisher = rows(backend, at.fisher(v, s.scope));
      for (int j = 0; j < v.dim(0); j++) {
        Tensor one = v.slice(j, 1);
        double bound = emulated ? 1e-6 : 0;
        close(rows(backend, at.hvp(one, s.scope))[0], hvp[j], bound, "Hessian " + j);
        close(rows(backend, at.ggn(one, s.scope))[0], ggn[j], bound, "Gauss-Newton " + j);
        close(rows(backend, at.fisher(one, s.scope))[0], fisher[j], bound, "Fisher " + j);
      }
    }
  }

  /** Without a budget a block of nine is nine passes, which changes memory and no byte. */
  @Test
  void theBudgetCutsTheBlock() {
    try (Backend backend = Backends.select("cpu", BackendOptions.DEFAULT);
        Setup s = new Setup(backend, dir)) {
      DatasetLoss loss =
          new DatasetLoss(
              s.adapted, TinyModels.samples(4, 151, 20, 31, SEED), BatchLimits.DEFAULT);
      Tensor v = s.random(K);
      for (Curvature kind : new Curvature[] {Curvature.GGN, Curvature.HESSIAN}) {
        Product wide = product(s, loss, kind, v, new MemoryBudget(1L << 30));
        Product narrow = product(s, loss, kind, v, MemoryBudget.NONE);
        for (int j = 0; j < K; j++) {
          assertArrayEquals(wide.values[j], narrow.values[j], kind + " " + j);
        }
        assertEquals(K, wide.products);
        assertEquals(K, narrow.products);
      }
    }
  }

  /** What a pass is said to take for each vector is what it takes, and not much more. */
  @Test
  void theMemoryOfAVectorIsKnown() {
    try (Backend backend = Backends.select("cpu", BackendOptions.DEFAULT);
        Setup s = new Setup(backend, dir);
        Batch batch = Batch.of(TinyModels.samples(8, 151, 40, 60, SEED), backend);
        Linearization at =
            new Linearization(backend, s.adapted.tape(batch), s.adapter.theta())) {
      Tensor v = s.random(K);
      Tensor out = s.random(K);
      at.addHvp(v.slice(0, 1), 1, out.slice(0, 1));
      long live = backend.memoryUse().liveBytes();
      at.addHvp(v, 1, out);
      long taken = backend.memoryUse().peakBytes() - live;
      assertTrue(taken <= K * at.bytesPerVector() * 9 / 8, taken + " of " + at.bytesPerVector());
      assertTrue(taken >= K * at.bytesPerVector() / 4, taken + " of " + at.bytesPerVector());
    }
  }

  private static Product product(
      Setup s, DatasetLoss loss, Curvature kind, Tensor v, MemoryBudget budget) {
    try (DatasetCurvature curvature =
        new DatasetCurvature(kind, loss, s.adapter.theta(), loss.size(), budget)) {
      Tensor out = s.random(K);
      curvature.apply(v, out);
      return new Product(rows(s.backend, out), curvature.products());
    }
  }

  private static double[][] rows(Backend backend, Tensor tensor) {
    Tensor host =
        Tensor.of(tensor.shape(), new double[Math.toIntExact(tensor.elements())]);
    backend.download(tensor, host);
    double[][] rows = new double[Math.toIntExact(tensor.dim(0))][];
    for (int j = 0; j < rows.length; j++) {
      rows[j] = host.row(j).toDoubles();
    }
    return rows;
  }

  private static void close(double[] expected, double[] got, double bound, String what) {
    if (bound == 0) {
      assertArrayEquals(expected, got, what);
      return;
    }
    double error = Golden.relative(got, expected);
    assertTrue(error <= bound, what + ", seed " + SEED + ": " + error);
  }

  private record Product(double[][] values, long products) {}

  private static final class Setup implements AutoCloseable {
    private final Backend backend;
    private final Scope scope;
    private final TinyModels.Tiny tiny;
    private final LoraAdapter adapter;
    private final AdaptedModel adapted;

    Setup(Backend backend, Path dir) {
      this.backend = backend;
      scope = backend.openScope("test");
      tiny = TinyModels.open(dir, DIMS, backend, SEED);
      adapter = TinyModels.adapter(tiny.model(), 4, 1, TinyModels.ALL_TARGETS, SEED);
      adapted = new AdaptedModel(tiny.model(), adapter);
    }

    Tensor random(int k) {
      Tensor v = scope.allocate(backend.vectorType(), k, adapter.theta().elements());
      TinyModels.randomize(backend, v, 0.1, SEED + k);
      return v;
    }

    @Override
    public void close() {
      scope.close();
      adapter.close();
      tiny.close();
    }
  }
}
