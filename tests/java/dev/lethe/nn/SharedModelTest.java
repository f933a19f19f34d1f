package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.data.Sample;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Threads that share a model get the numbers that each would get alone, bit for bit. */
class SharedModelTest {
  private static final long SEED = 20_261_201;
  private static final Dims DIMS = new Dims(3, 64, 96, 2, 1, 97, 300, "");
  private static final int CALLERS = 4;

  /** Nothing adapted in the lowest layer, so that hidden states are kept and shared. */
  private static final List<String> TARGETS = List.of("1.self_attn.q_proj", "1.mlp.down_proj", "2.mlp.up_proj");

  @TempDir Path dir;

  @ParameterizedTest(name = "{0}, virtual threads: {1}")
  @CsvSource({"reference, false, 2", "cpu, false, 12", "cpu, true, 12", "cuda, false, 1", "cuda, true, 1"})
  void numbersDoNotDependOnOtherThreads(String device, boolean virtual, int rounds) throws Exception {
    try (Backend backend = open(device);
        Tiny tiny = TinyModels.open(dir, DIMS, backend, SEED);
        LoraAdapter adapter = TinyModels.adapter(tiny.model(), 4, 1, TARGETS, SEED)) {
      AdaptedModel shared = new AdaptedModel(tiny.model(), adapter);
      List<Numbers> alone = new ArrayList<>();
      for (int caller = 0; caller < CALLERS; caller++) {
        alone.add(numbers(shared, caller));
      }
      try (HiddenStates states = HiddenStates.keep(shared, null, 1 << 24);
          ExecutorService threads =
              virtual ? Executors.newVirtualThreadPerTaskExecutor() : Executors.newFixedThreadPool(CALLERS)) {
        assertEquals(1, states.layer());
        CyclicBarrier start = new CyclicBarrier(CALLERS);
        List<Future<?>> calls = new ArrayList<>();
        for (int caller = 0; caller < CALLERS; caller++) {
          int mine = caller;
          calls.add(
              threads.submit(
                  () -> {
                    start.await();
                    for (int round = 0; round < rounds; round++) {
                      alone.get(mine).assertSame(numbers(shared, mine), "caller " + mine + ", seed " + SEED);
                    }
                    return null;
                  }));
        }
        for (Future<?> call : calls) {
          call.get();
        }
      }
    }
  }

  private static Backend open(String device) {
    return device.equals("cuda") ? EmulatedBackends.open(DType.F32) : Backends.select(device, new BackendOptions(2));
  }

  private static Numbers numbers(AdaptedModel model, int caller) {
    Backend backend = model.backend();
    List<Sample> samples = TinyModels.samples(2, DIMS.vocabulary(), 3, 9 + 7 * caller, SEED + caller);
    try (Batch batch = Batch.of(samples, backend);
        Scope scope = backend.openScope("caller " + caller);
        Linearization at = new Linearization(backend, model.tape(batch), model.theta())) {
      Tensor v = scope.allocate(backend.vectorType(), 1, model.layout().size());
      TinyModels.randomize(backend, v, 0.1, SEED + caller);
      return new Numbers(
          at.losses(), host(backend, at.perSampleGradients(scope)), host(backend, at.hvp(v, scope)));
    }
  }

  private static double[] host(Backend backend, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    Tensor host = Tensor.of(tensor.shape(), values);
    backend.download(tensor, host);
    for (int i = 0; i < values.length; i++) {
      values[i] = host.get(i);
    }
    return values;
  }

  private record Numbers(double[] losses, double[] gradients, double[] product) {
    void assertSame(Numbers got, String who) {
      assertArrayEquals(losses, got.losses, "losses of " + who);
      assertArrayEquals(gradients, got.gradients, "gradients of " + who);
      assertArrayEquals(product, got.product, "Hessian product of " + who);
    }
  }
}
