package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Dropout;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.DropoutKernels;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a batch is, that its composition changes nothing, and what dropout does to it. */
class BatchTest {
  private static final long SEED = 31;
  private static final int LONG = 2048;

  @TempDir Path dir;

  @Test
  void labelsSuperviseTheRowBefore() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE)) {
      Sample a = new Sample("a", new int[] {5, 6, 7, 8}, new int[] {5, -100, 7, -100}, "");
      Sample b = new Sample("b", new int[] {1, 2, 3}, new int[] {-100, 9, 3}, "");
      try (Batch batch = Batch.of(List.of(a, b), backend)) {
        assertEquals(Packing.ofLengths(2, 2), batch.packing());
        assertArrayEquals(new double[] {5, 6, 1, 2}, batch.ids().toDoubles());
        assertArrayEquals(new double[] {0, 1, 0, 1}, batch.positions().toDoubles());
        assertArrayEquals(new double[] {1, 2, 3}, batch.rows().toDoubles());
        assertArrayEquals(new double[] {7, 9, 3}, batch.targets().toDoubles());
        assertArrayEquals(new double[] {1, 0.5, 0.5}, batch.weights().toDoubles());
        assertEquals(Packing.ofLengths(1, 2), batch.supervised());
        assertEquals(4, batch.tokens());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void compositionChangesNothing(String device) {
    List<Sample> samples = TinyModels.samples(5, 23, 2, 13, SEED);
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED);
        LoraAdapter adapter =
            TinyModels.adapter(tiny.model(), 2, 4, TinyModels.ALL_TARGETS, SEED)) {
      AdaptedModel adapted = new AdaptedModel(tiny.model(), adapter);
      double[][] together = derivatives(adapted, samples);
      for (int i = 0; i < samples.size(); i++) {
        double[] alone = derivatives(adapted, List.of(samples.get(i)))[0];
        double error = Golden.relative(alone, together[i]);
        assertTrue(error < TestBackends.bound(device), "sample " + i + " differs by " + error);
      }
    }
  }

  /** Loss, per-sample gradient and jvp of each sample in one row. */
  private static double[][] derivatives(AdaptedModel adapted, List<Sample> samples) {
    Backend backend = adapted.backend();
    int size = Math.toIntExact(adapted.layout().size());
    try (Batch batch = Batch.of(samples, backend);
        Scope scope = backend.openScope("test");
        Linearization at =
            new Linearization(backend, adapted.tape(batch), adapted.adapter().theta())) {
      Tensor v = scope.allocate(backend.vectorType(), 1, size);
      TinyModels.randomize(backend, v, 1, SEED);
      Tensor each = at.perSampleGradients(scope);
      double[] slopes = at.jvp(v)[0];
      double[][] rows = new double[samples.size()][];
      for (int i = 0; i < rows.length; i++) {
        rows[i] = Arrays.copyOf(HostTensors.doubles(backend, each.row(i)), size + 2);
        rows[i][size] = at.losses()[i];
        rows[i][size + 1] = slopes[i];
      }
      return rows;
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void dropoutIsForTrainingOnly(String device) {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0.5, TinyModels.ALL_TARGETS, "tiny");
    PeftAdapterConfig dry = PeftAdapterConfig.create(2, 4, 0, TinyModels.ALL_TARGETS, "tiny");
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED);
        Batch batch = Batch.of(TinyModels.samples(3, 23, 4, 9, SEED), backend);
        LoraAdapter wet = TinyModels.adapter(config, tiny.model(), SEED);
        LoraAdapter plain = TinyModels.adapter(dry, tiny.model(), SEED)) {
      AdaptedModel adapted = new AdaptedModel(tiny.model(), wet);
      AdaptedModel without = new AdaptedModel(tiny.model(), plain);
      double[] expected = losses(without, without.tape(batch));
      assertArrayEquals(expected, losses(adapted, adapted.tape(batch)));
      assertArrayEquals(expected, losses(without, without.trainingTape(batch, 1)));
      assertEquals(14, masks(adapted.trainingTape(batch, 1)), "every adapter has its own mask");
      double[] first = losses(adapted, adapted.trainingTape(batch, 1));
      assertArrayEquals(first, losses(adapted, adapted.trainingTape(batch, 1)));
      assertNotEquals(expected[0], first[0]);
      assertNotEquals(first[0], losses(adapted, adapted.trainingTape(batch, 2))[0]);
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void aRowHasTheSameMaskWhateverElseIsInTheBatch(String device) {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0.5, TinyModels.ALL_TARGETS, "tiny");
    List<Sample> samples = TinyModels.samples(4, 23, 6, 9, SEED);
    List<Sample> mixed = List.of(samples.get(3), samples.get(1), samples.get(0));
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED);
        LoraAdapter adapter = TinyModels.adapter(config, tiny.model(), SEED)) {
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      List<double[]> expected = masks(model, samples, 1, 1);
      assertArrayEquals(expected.get(1), masks(model, mixed, 1, 1).get(1));
      assertArrayEquals(expected.get(3), masks(model, mixed, 1, 1).get(0));
      assertArrayEquals(expected.get(2), masks(model, samples.subList(2, 3), 1, 1).get(0));
      Set<String> different = new HashSet<>();
      for (double[] mask : expected) {
        different.add(Arrays.toString(Arrays.copyOf(mask, 60)));
      }
      different.add(Arrays.toString(Arrays.copyOf(masks(model, samples, 2, 1).get(0), 60)));
      different.add(Arrays.toString(Arrays.copyOf(masks(model, samples, 1, 2).get(0), 60)));
      assertEquals(6, different.size(), "by sample, seed and module");
    }
  }

  /** The mask of one module's input for each sample. */
  private static List<double[]> masks(
      AdaptedModel model, List<Sample> samples, long seed, int module) {
    Backend backend = model.backend();
    try (Scope scope = backend.openScope("masks");
        Batch batch = Batch.of(samples, backend)) {
      Dropout op =
          model.trainingTape(batch, seed).ops().stream()
              .filter(Dropout.class::isInstance)
              .map(Dropout.class::cast)
              .skip(module)
              .findFirst()
              .orElseThrow();
      Tensor ones = scope.allocate(backend.activationType(), op.x().rows(), op.x().width());
      double[] values = new double[Math.toIntExact(ones.elements())];
      Arrays.fill(values, 1);
      backend.upload(Tensor.of(ones.shape(), values), ones);
      backend.run(
          new DropoutKernels.Apply(op.seed(), op.probability(), op.keys(), ones, ones, false));
      backend.download(ones, Tensor.of(ones.shape(), values));
      int width = (int) op.x().width();
      return IntStream.range(0, samples.size())
          .mapToObj(
              i ->
                  Arrays.copyOfRange(
                      values, batch.packing().start(i) * width, batch.packing().end(i) * width))
          .toList();
    }
  }

  private static long masks(Tape tape) {
    return tape.ops().stream()
        .filter(Dropout.class::isInstance)
        .map(op -> ((Dropout) op).seed())
        .distinct()
        .count();
  }

  private static double[] losses(AdaptedModel adapted, Tape tape) {
    return Gradients.losses(adapted.backend(), tape, adapted.adapter().theta());
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void longSequencesNeverTakeTheirSquare(String device) {
    Dims dims = new Dims(1, 8, 8, 2, 1, 11, LONG, "");
    List<Sample> samples = TinyModels.samples(1, 11, LONG, LONG, SEED);
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir, dims, backend, SEED);
        LoraAdapter adapter =
            TinyModels.adapter(tiny.model(), 1, 2, List.of("q_proj", "v_proj"), SEED);
        Batch batch = Batch.of(samples, backend)) {
      AdaptedModel adapted = new AdaptedModel(tiny.model(), adapter);
      try (Scope scope = backend.openScope("test");
          Linearization at = new Linearization(backend, adapted.tape(batch), adapter.theta())) {
        Tensor v = scope.allocate(backend.vectorType(), 1, adapter.layout().size());
        TinyModels.randomize(backend, v, 1, SEED);
        assertTrue(backend.vectors().allFinite(at.hvp(v, scope)));
        assertTrue(backend.vectors().allFinite(at.ggn(v, scope)));
        assertTrue(Double.isFinite(at.jvp(v)[0][0]));
      }
      long square = (long) LONG * LONG * backend.activationType().bytes();
      long peak = backend.memoryUse().peakBytes();
      assertTrue(peak < square / 2, "peak " + peak + " bytes, T×T alone has " + square);
    }
  }

  @Test
  void badSamplesAreNamed() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT.withMaxPositions(4), backend, SEED)) {
      AdaptedModel bare = new AdaptedModel(tiny.model(), null);
      Sample silent = new Sample("quiet", new int[] {1, 2}, new int[] {1, -100}, "");
      assertSays(
          assertThrows(LetheException.class, () -> Batch.of(List.of(silent), backend)), "quiet");
      assertSays(refusal(bare, "long", 1, 2, 3, 4, 5), "'long'", "at most 4 tokens", "5 tokens");
      assertSays(refusal(bare, "strange", 1, 23), "'strange'", "0 to 22", "23");
      assertSays(refusal(bare, "negative", 1, -3), "'negative'", "-3");
    }
  }

  private static LetheException refusal(AdaptedModel model, String id, int... tokens) {
    try (Batch batch = Batch.of(List.of(new Sample(id, tokens, tokens, "")), model.backend())) {
      return assertThrows(LetheException.class, () -> model.tape(batch));
    }
  }

  private static void assertSays(Exception e, String... parts) {
    for (String part : parts) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  @Test
  void aBareModelHasLossesAndNoParameters() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED);
        Batch batch = Batch.of(TinyModels.samples(2, 23, 4, 9, SEED), backend);
        LoraAdapter fresh =
            LoraAdapter.create(
                PeftAdapterConfig.create(2, 4, 0, TinyModels.ALL_TARGETS, "tiny"),
                tiny.model(),
                SEED)) {
      AdaptedModel bare = new AdaptedModel(tiny.model(), null);
      AdaptedModel adapted = new AdaptedModel(tiny.model(), fresh);
      assertEquals(0, bare.layout().size());
      assertArrayEquals(
          Gradients.losses(backend, bare.tape(batch), null),
          losses(adapted, adapted.tape(batch)),
          1e-14,
          "a new adapter changes nothing");
    }
  }
}
