package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Attention;
import dev.lethe.autograd.op.Embedding;
import dev.lethe.autograd.op.Input;
import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What starts at kept hidden states gives the bytes of what starts at the embedding. */
class HiddenStatesTest {
  private static final long SEED = 707;
  private static final long PLENTY = 1L << 24;
  private static final Dims DIMS = new Dims(3, 36, 50, 6, 2, 61, 96, "");
  private static final List<String> UPPER =
      List.of("layers.2.self_attn.q_proj", "layers.2.self_attn.v_proj", "layers.2.mlp.down_proj");
  private static final TrainOptions OPTIONS =
      TrainOptions.builder().learningRate(0.01).epochs(3).batchSize(3).accumulation(2).build();

  @TempDir Path dir;
  private final List<Sample> samples = TinyModels.samples(11, 61, 3, 71, SEED);

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void trainingGivesTheSameBytesFromMemoryFromAFolderAndPastTheBudget(String device) {
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir.resolve("model"), DIMS, backend, SEED)) {
      double[] expected = trained(tiny.model(), null);
      for (long budget : new long[] {PLENTY, 20_000, 0}) {
        assertArrayEquals(
            expected, trained(tiny.model(), () -> new Store(null, budget)), "budget " + budget);
      }
      Path folder = dir.resolve("states");
      assertArrayEquals(expected, trained(tiny.model(), () -> new Store(folder, PLENTY)));
      assertArrayEquals(expected, trained(tiny.model(), () -> new Store(folder, PLENTY)));
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void derivativesAreTheSameInAnyBatch(String device) {
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir.resolve("model"), DIMS, backend, SEED);
        LoraAdapter adapter = TinyModels.adapter(config(UPPER), tiny.model(), SEED)) {
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      List<Sample> some = List.of(samples.get(7), samples.get(2), samples.get(9));
      double[][] expected = derivatives(model, some);
      try (HiddenStates states = HiddenStates.keep(model, null, PLENTY)) {
        derivatives(model, samples);
        assertTrue(states.report().contains("11 rows computed, 0 taken"), states.report());
        double[][] found = derivatives(model, some);
        assertTrue(states.report().contains("11 rows computed, 3 taken"), states.report());
        assertArrayEquals(expected, found);
      }
      assertArrayEquals(expected, derivatives(model, some));
    }
  }

  @Test
  void theNextProcessTakesThemFromTheFolder() throws IOException {
    Path folder = dir.resolve("states");
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Tiny tiny = TinyModels.open(dir.resolve("model"), DIMS, backend, SEED);
        LoraAdapter adapter = TinyModels.adapter(config(UPPER), tiny.model(), SEED)) {
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      double[][] expected = derivatives(model, samples);
      Path file = folder.resolve("states.bin");
      try (HiddenStates states = HiddenStates.keep(model, folder, PLENTY)) {
        derivatives(model, samples.subList(0, 8));
      }
      byte[] whole = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(whole, whole.length - 100));
      try (HiddenStates states = HiddenStates.keep(model, folder, PLENTY)) {
        assertTrue(states.report().contains("7 rows kept"), states.report());
        assertArrayEquals(expected, derivatives(model, samples));
        assertTrue(states.report().contains("4 rows computed, 7 taken"), states.report());
      }
      whole[whole.length - 1] ^= 1;
      Files.write(file, whole);
      try (HiddenStates states = HiddenStates.keep(model, folder, PLENTY)) {
        refused("damaged", () -> derivatives(model, samples));
      }
    }
  }

  @Test
  void statesOfAnotherModelAreRefused() {
    Path folder = dir.resolve("states");
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Tiny one = TinyModels.open(dir.resolve("one"), DIMS, backend, SEED);
        Tiny other = TinyModels.open(dir.resolve("other"), DIMS, backend, SEED + 1);
        LoraAdapter adapter = TinyModels.adapter(config(UPPER), one.model(), SEED);
        LoraAdapter foreign = TinyModels.adapter(config(UPPER), other.model(), SEED)) {
      HiddenStates.keep(new AdaptedModel(one.model(), adapter), folder, PLENTY).close();
      AdaptedModel model = new AdaptedModel(other.model(), foreign);
      refused("model_sha256 differs", () -> HiddenStates.keep(model, folder, PLENTY));
    }
  }

  @Test
  void nothingIsKeptWhereTheLowestLayerIsAdapted() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Tiny tiny = TinyModels.open(dir.resolve("model"), DIMS, backend, SEED);
        LoraAdapter all = TinyModels.adapter(config(List.of("q_proj")), tiny.model(), SEED);
        LoraAdapter upper = TinyModels.adapter(config(UPPER), tiny.model(), SEED)) {
      assertNull(HiddenStates.keep(new AdaptedModel(tiny.model(), all), null, PLENTY));
      assertNull(HiddenStates.keep(new AdaptedModel(tiny.model(), null), null, PLENTY));
      AdaptedModel model = new AdaptedModel(tiny.model(), upper);
      try (HiddenStates states = HiddenStates.keep(model, null, PLENTY);
          Batch batch = Batch.of(samples, backend)) {
        assertEquals(2, states.layer());
        Tape tape = model.tape(batch);
        assertEquals(1, tape.ops().stream().filter(Input.class::isInstance).count());
        assertEquals(1, tape.ops().stream().filter(Attention.class::isInstance).count());
        assertEquals(0, tape.ops().stream().filter(Embedding.class::isInstance).count());
      }
    }
  }

  private record Store(Path folder, long budget) {}

  /** Parameters after three epochs in shuffled order with dropout; null: without kept states. */
  private double[] trained(LanguageModel language, Supplier<Store> store) {
    try (LoraAdapter adapter = LoraAdapter.create(config(UPPER), language, SEED)) {
      AdaptedModel model = new AdaptedModel(language, adapter);
      Store at = store == null ? null : store.get();
      HiddenStates states =
          at == null ? null : HiddenStates.keep(model, at.folder, at.budget);
      try (states) {
        new Trainer(model, samples, OPTIONS, TrainMonitor.NONE).run(null, false);
      }
      return adapter.theta().toDoubles();
    }
  }

  private static double[][] derivatives(AdaptedModel model, List<Sample> rows) {
    Backend backend = model.backend();
    try (Scope scope = backend.openScope("derivatives");
        Batch batch = Batch.of(rows, backend);
        Linearization at =
            new Linearization(backend, model.tape(batch), model.adapter().theta())) {
      Tensor v = scope.allocate(backend.vectorType(), 2, model.layout().size());
      TinyModels.randomize(backend, v, 1, SEED);
      return new double[][] {
        at.losses(),
        at.gradient(scope).toDoubles(),
        at.ggn(v, scope).toDoubles(),
        at.hvp(v, scope).toDoubles()
      };
    }
  }

  private static PeftAdapterConfig config(List<String> targets) {
    return PeftAdapterConfig.create(2, 4, 0.2, targets, "tiny");
  }

  private static void refused(String words, Runnable work) {
    LetheException e = assertThrows(LetheException.class, work::run);
    assertTrue(e.getMessage().contains(words), e.getMessage());
  }
}
