package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cpu.ScratchMemory;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.data.Sample;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Memory grows linearly with the length of a sequence in every mode: the most bytes of live tensors, and what the
 * threads of the CPU backend keep, at lengths T, 2T, 4T, 8T bend nowhere above a line. One T×T array would.
 */
class MemoryGrowthTest {
  private static final long SEED = 20_261_127;
  private static final int VECTORS = 2;

  /** Tokens from which on the blocks of rows of the CPU's kernels have their full height. */
  private static final int WHOLE_BLOCKS = 384;

  /** How far above 2 the growth of memory may be where the growth of the length doubles. */
  private static final double TOLERANCE = 0.02;

  @TempDir Path dir;

  /** What is differentiated how. */
  enum Mode {
    FORWARD(w -> Gradients.losses(w.backend, w.tape, w.theta)),
    GRADIENT(w -> Gradients.addGradient(w.backend, w.tape, w.theta, 1, w.g.row(0))),
    PER_SAMPLE(w -> Gradients.perSample(w.backend, w.tape, w.theta, w.g.slice(0, 1))),
    JVP(w -> w.linearized(at -> at.jvp(w.v))),
    HVP(w -> w.linearized(at -> at.addHvp(w.v, 1, w.g))),
    GGN(w -> w.linearized(at -> at.addGgn(w.v, 1, w.g)));

    private final Consumer<Work> run;

    Mode(Consumer<Work> run) {
      this.run = run;
    }
  }

  private record Work(Backend backend, Tape tape, Tensor theta, Tensor v, Tensor g) {
    void linearized(Consumer<Linearization> use) {
      try (Linearization at = new Linearization(backend, tape, theta)) {
        use.accept(at);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void isLinearOnTheCpu(Mode mode) {
    requireLinear(
        mode, () -> Backends.select("cpu", new BackendOptions(1)), Dims.DEFAULT, WHOLE_BLOCKS);
  }

  @ParameterizedTest
  @EnumSource
  void isLinearInTheKernelsForGpus(Mode mode) {
    Dims dims = new Dims(1, 64, 48, 2, 1, 23, 64, "");
    requireLinear(mode, () -> EmulatedBackends.open(DType.F32), dims, 32);
  }

  private void requireLinear(Mode mode, Supplier<Backend> open, Dims dims, int shortest) {
    long[] bytes = new long[4];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = bytes(mode, open, dims, shortest << i);
    }
    String measured =
        "%s, seed %d: %s bytes at %d tokens and their doubles"
            .formatted(mode, SEED, Arrays.toString(bytes), shortest);
    for (int i = 2; i < bytes.length; i++) {
      double before = bytes[i - 1] - bytes[i - 2];
      double growth = bytes[i] - bytes[i - 1];
      assertTrue(before > 0 && growth <= (2 + TOLERANCE) * before, measured);
    }
  }

  /** The most bytes that a mode takes beyond the model, its batch and vectors of length P. */
  private long bytes(Mode mode, Supplier<Backend> open, Dims dims, int tokens) {
    Dims longer = dims.withMaxPositions(tokens + 1);
    try (Backend backend = open.get();
        Tiny tiny = TinyModels.open(dir.resolve(mode + "-" + tokens), longer, backend, SEED);
        LoraAdapter adapter =
            TinyModels.adapter(tiny.model(), 2, 1, TinyModels.ALL_TARGETS, SEED);
        Batch batch = Batch.of(List.of(sample(tokens)), backend);
        Scope scope = backend.openScope("vectors")) {
      Tensor v = scope.allocate(backend.vectorType(), VECTORS, adapter.theta().elements());
      Tensor g = scope.allocate(backend.vectorType(), VECTORS, adapter.theta().elements());
      TinyModels.randomize(backend, v, 0.1, SEED);
      TinyModels.randomize(backend, g, 0.1, SEED);
      Tape tape = new AdaptedModel(tiny.model(), adapter).tape(batch);
      long before = backend.memoryUse().liveBytes();
      mode.run.accept(new Work(backend, tape, adapter.theta(), v, g));
      long most = backend.memoryUse().peakBytes();
      assertTrue(most > before, "the peak is not that of loading");
      return most - before + ScratchMemory.bytes(backend);
    }
  }

  /** So many tokens and one behind them, which is predicted only. */
  private static Sample sample(int tokens) {
    int[] ids = new int[tokens + 1];
    Arrays.setAll(ids, t -> (7 * t + 3) % 23);
    return new Sample("one", ids, ids, "hash");
  }
}
