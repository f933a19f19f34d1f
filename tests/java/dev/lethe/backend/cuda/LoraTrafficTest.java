package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.Text;
import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What layers of one input save by being made together: launches of a whole decoder layer, and bytes of its products
 * beyond those of the frozen weights. Shapes are those of llama1b with an eighth of every width and of the rank, so that
 * the shares are llama1b's; nothing is computed. A product of two terms is two launches, as with cuBLAS.
 */
class LoraTrafficTest {
  private static final long SEED = 20_261_201;
  private static final int HIDDEN = 256;
  private static final int KEYS = 64;
  private static final int FEED_FORWARD = 1024;
  private static final int RANK = 2;
  private static final int BF16 = 2;
  private static final int TOKENS = 256;
  private static final int SAMPLES = 4;
  private static final double ROWS = SAMPLES * (TOKENS - 1);
  private static final int PASSES = 2;
  private static final double MOST = 0.6;

  @TempDir Path dir;

  /** Launches and bytes of one decoder layer. */
  private record Traffic(double launches, double bytes) {
    Traffic minus(Traffic other) {
      return new Traffic(launches - other.launches, bytes - other.bytes);
    }
  }

  /** What a mode moves in any case, in elements of one layer: inputs and outputs of its products, once each. */
  private static double frozen(double rows, boolean together) {
    double weights = HIDDEN * (2.0 * HIDDEN + 2 * KEYS) + 3.0 * HIDDEN * FEED_FORWARD;
    double inputs = together ? 3 * HIDDEN + FEED_FORWARD : 6 * HIDDEN + FEED_FORWARD;
    double outputs = 3.0 * HIDDEN + 2 * KEYS + 2 * FEED_FORWARD;
    return weights + rows * (inputs + outputs);
  }

  @Test
  void aGradientHasSixTenthsOfTheLaunchesAndBytes() {
    assertSaved("gradient", 83, 47, false);
  }

  @Test
  void aHessianProductHasSixTenthsOfTheLaunchesAndBytes() {
    assertSaved("kept Hessian product", 125, 59, true);
  }

  private void assertSaved(String what, long launchesApart, long launchesTogether, boolean second) {
    Traffic apart = ofLayer(false, second);
    Traffic together = ofLayer(true, second);
    assertEquals(launchesApart, apart.launches, "launches of a decoder layer, its linear layers apart");
    double before = apart.bytes - PASSES * BF16 * frozen(ROWS, false);
    double after = together.bytes + adjoints(second ? 2 : 1) - PASSES * BF16 * frozen(ROWS, true);
    String found =
        Text.format(
            "%s: %.0f launches of %.0f (%.2f), %.3g bytes of LoRA of %.3g (%.2f)",
            what, together.launches, apart.launches, together.launches / apart.launches, after, before,
            after / before);
    assertEquals(launchesTogether, together.launches, "launches of a decoder layer");
    assertTrue(together.launches <= MOST * apart.launches, found);
    assertTrue(after <= MOST * before, found);
  }

  /** What no product shows: the kernel that reads outputs' adjoints, and its sums. */
  private static double adjoints(int terms) {
    return Stream.of(List.of(HIDDEN, KEYS, KEYS), List.of(HIDDEN), List.of(FEED_FORWARD, FEED_FORWARD), List.of(HIDDEN))
        .mapToDouble(outs -> new AdjointTraffic(outs, RANK, (long) ROWS, 132).bytes(terms))
        .sum();
  }

  /** The difference between two layers and one. */
  private Traffic ofLayer(boolean together, boolean second) {
    return of(2, together, second).minus(of(1, together, second));
  }

  private Traffic of(int layers, boolean together, boolean second) {
    Counting products = new Counting();
    CountingDevice device = new CountingDevice();
    Dims dims = new Dims(layers, HIDDEN, FEED_FORWARD, HIDDEN / 64, 1, 23, 300, "");
    Path folder = TinyModels.writeFolder(dir, dims, SEED);
    CudaBackend cuda = new CudaBackend(new Cuda(device, DType.BF16, all -> products));
    try (Backend backend = together ? cuda : new ApartBackend(cuda);
        HfModelFolder files = HfModelFolder.open(folder);
        LanguageModel model = LanguageModel.open(files, backend);
        LoraAdapter adapter = TinyModels.adapter(model, RANK, 2 * RANK, TinyModels.ALL_TARGETS, SEED);
        Batch batch = Batch.of(TinyModels.samples(SAMPLES, 23, TOKENS, TOKENS, SEED), backend);
        Scope scope = backend.openScope("traffic")) {
      AdaptedModel adapted = new AdaptedModel(model, adapter);
      Tensor v = scope.allocate(DType.F32, 1, adapter.theta().elements());
      Tensor g = scope.allocate(DType.F32, 1, adapter.theta().elements());
      if (!second) {
        device.takeLaunches();
        products.clear();
        Gradients.addGradient(backend, adapted.tape(batch), adapter.theta(), 1, g.row(0));
        return new Traffic(device.takeLaunches() + products.launches, products.bytes);
      }
      try (Linearization at = new Linearization(backend, adapted.tape(batch), adapter.theta(), Adjoints.ALL)) {
        device.takeLaunches();
        products.clear();
        at.addHvp(v, 1, g);
        return new Traffic(device.takeLaunches() + products.launches, products.bytes);
      }
    }
  }

  /** Products that count what they would move: a factor and a result once for every term. */
  private static final class Counting implements Products {
    private long launches;
    private double bytes;

    void clear() {
      launches = 0;
      bytes = 0;
    }

    @Override
    public String description() {
      return "nothing";
    }

    @Override
    public void multiply(Product p) {
      add(p, p.k(), p.beta() != 0);
      if (p.second() != null) {
        add(p, p.second().k(), true);
      }
    }

    private void add(Product p, long depth, boolean readsC) {
      launches++;
      double factors = (double) depth * (p.m() + p.n()) * p.a().type().bytes();
      double result = (readsC ? 2.0 : 1.0) * p.m() * p.n() * p.c().type().bytes();
      bytes += p.batch() * (factors + result);
    }

    @Override
    public void close() {}
  }
}
