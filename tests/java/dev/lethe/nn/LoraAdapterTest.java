package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.nn.family.Projection;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapters: their layout, their start, their files, and what they do to the weights. */
class LoraAdapterTest {
  private static final long SEED = 12;
  private static final String PREFIX = "base_model.model.model.layers.";
  private static final PeftAdapterConfig ALL =
      PeftAdapterConfig.create(2, 3, 0, TinyModels.ALL_TARGETS, "tiny");

  @TempDir Path dir;

  @Test
  void parametersLieLayerByLayerInModuleOrder() {
    PeftAdapterConfig config =
        PeftAdapterConfig.create(2, 4, 0, List.of("down_proj", "v_proj", "q_proj"), "tiny")
            .withPatterns(Map.of("1.mlp.down_proj", 5), Map.of("v_proj", 1.0), true);
    try (Setup s = new Setup("reference", dir, config)) {
      List<ParameterLayout.Parameter> all = s.adapter.layout().parameters();
      assertEquals(
          List.of(
              PREFIX + "0.self_attn.q_proj.lora_A.weight",
              PREFIX + "0.self_attn.q_proj.lora_B.weight",
              PREFIX + "0.self_attn.v_proj.lora_A.weight"),
          all.stream().limit(3).map(ParameterLayout.Parameter::name).toList());
      assertEquals(PREFIX + "1.mlp.down_proj.lora_B.weight", all.getLast().name());
      assertEquals(Shape.of(12, 5), all.getLast().shape());
      assertEquals(Shape.of(2, 12), all.getFirst().shape());
      long offset = 0;
      for (ParameterLayout.Parameter p : all) {
        assertEquals(offset, p.offset(), p.name());
        offset += p.shape().elements();
      }
      assertEquals(offset, s.adapter.layout().size());
      LoraSlot value = s.adapter.layout().slot(0, Projection.VALUE);
      assertEquals(1 / Math.sqrt(2), value.scale(), 1e-15);
      assertEquals(4 / Math.sqrt(5), s.adapter.layout().slot(1, Projection.DOWN).scale(), 1e-15);
      assertEquals(null, s.adapter.layout().slot(0, Projection.KEY));
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void aNewAdapterIsPeftsAndFollowsItsSeed(String device) {
    try (Setup s = new Setup(device, dir, ALL);
        LoraAdapter one = LoraAdapter.create(ALL, s.model(), 1);
        LoraAdapter same = LoraAdapter.create(ALL, s.model(), 1);
        LoraAdapter other = LoraAdapter.create(ALL, s.model(), 2)) {
      assertEquals(one.sha256(), same.sha256());
      assertNotEquals(one.sha256(), other.sha256());
      one.layout().toHost(s.backend, one.theta()).forEach(LoraAdapterTest::assertStart);
    }
  }

  private static void assertStart(String name, Tensor tensor) {
    double[] values = tensor.toDoubles();
    double largest = Arrays.stream(values).map(Math::abs).max().orElseThrow();
    if (name.contains("lora_B")) {
      assertEquals(0, largest, name);
      return;
    }
    double bound = 1 / Math.sqrt(tensor.dim(1));
    assertTrue(largest <= bound && largest > bound / 2, name + ": " + largest);
    assertEquals(values.length, Arrays.stream(values).distinct().count(), name);
  }

  @Test
  void otherStartsAreNamed() {
    try (Setup s = new Setup("reference", dir, ALL)) {
      PeftAdapterConfig gaussian = withInit("gaussian");
      try (LoraAdapter adapter = LoraAdapter.create(gaussian, s.model(), 1)) {
        double norm = s.backend.vectors().norm(adapter.theta());
        long drawn = adapter.layout().slots().stream().mapToLong(x -> x.rank() * x.in()).sum();
        assertEquals(0.5, norm / Math.sqrt(drawn), 0.06, "deviation 1/rank");
      }
      PeftAdapterConfig orthogonal = withInit("orthogonal");
      assertSays(
          () -> LoraAdapter.create(orthogonal, s.model(), 1), "init_lora_weights", "orthogonal");
    }
  }

  private static PeftAdapterConfig withInit(String init) {
    var raw = ALL.raw();
    raw.put("init_lora_weights", init);
    return PeftAdapterConfig.parse(raw, "test");
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void aFolderHoldsTheAdapter(String device) {
    try (Setup s = new Setup(device, dir, ALL)) {
      s.adapter.save(dir.resolve("saved"));
      try (PeftFolder folder = PeftFolder.open(dir.resolve("saved"));
          LoraAdapter back = LoraAdapter.open(folder, s.model())) {
        assertArrayEquals(s.numbers(s.adapter.theta()), s.numbers(back.theta()));
        assertEquals(s.adapter.layout(), back.layout());
      }
    }
  }

  @Test
  void adaptersOfOtherModelsAreRefused() {
    try (Setup s = new Setup("reference", dir, ALL)) {
      s.adapter.save(dir.resolve("saved"));
      Dims wider = new Dims(2, 24, 17, 6, 2, 23, 64, "");
      try (PeftFolder folder = PeftFolder.open(dir.resolve("saved"));
          Tiny wide = TinyModels.open(dir.resolve("wide"), wider, s.backend, SEED);
          Tiny deep =
              TinyModels.open(dir.resolve("deep"), Dims.DEFAULT.withLayers(3), s.backend, SEED);
          Tiny flat =
              TinyModels.open(dir.resolve("flat"), Dims.DEFAULT.withLayers(1), s.backend, SEED)) {
        assertSays(
            () -> LoraAdapter.open(folder, wide.model()), "q_proj.lora_A", "(2,24)", "(2,12)");
        assertSays(() -> LoraAdapter.open(folder, deep.model()), "missing", PREFIX + "2.self_attn");
        assertSays(
            () -> LoraAdapter.open(folder, flat.model()), "no adapter matrix", PREFIX + "1.");
        assertSays(() -> new AdaptedModel(wide.model(), s.adapter), "other dimensions");
      }
    }
  }

  @Test
  void targetsMustBeLinearLayersOfTheModel() {
    try (Setup s = new Setup("reference", dir, ALL)) {
      for (String target : List.of("lm_head", "embed_tokens")) {
        PeftAdapterConfig config =
            PeftAdapterConfig.create(2, 3, 0, List.of("q_proj", target), "tiny");
        assertSays(() -> LoraAdapter.create(config, s.model(), 1), "not supported", target);
      }
      PeftAdapterConfig none = PeftAdapterConfig.create(2, 3, 0, List.of("c_attn"), "tiny");
      assertSays(() -> LoraAdapter.create(none, s.model(), 1), "selects no linear layer", "c_attn");
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void vectorsGoToTheHostAndBack(String device) {
    try (Setup s = new Setup(device, dir, ALL);
        Scope scope = s.backend.openScope("test")) {
      ParameterLayout layout = s.adapter.layout();
      Tensor rows = scope.allocate(s.backend.vectorType(), 3, layout.size());
      TinyModels.randomize(s.backend, rows, 1, SEED);
      Map<String, Tensor> stacked = layout.rowsToHost(s.backend, rows);
      Tensor back = scope.allocate(s.backend.vectorType(), layout.size());
      for (int i = 0; i < 3; i++) {
        Map<String, Tensor> named = new LinkedHashMap<>();
        for (String name : stacked.keySet()) {
          named.put(name, stacked.get(name).row(i));
        }
        layout.fromHost(s.backend, named, back, "test");
        assertArrayEquals(s.numbers(rows.row(i)), s.numbers(back));
      }
      Map<String, Tensor> spoilt = layout.toHost(s.backend, back);
      spoilt.values().iterator().next().set(1, Double.NaN);
      assertSays(() -> layout.fromHost(s.backend, spoilt, back, "v"), "q_proj", "not finite");
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void mergedWeightsGiveTheSameLogits(String device) {
    PeftAdapterConfig config = ALL.withPatterns(Map.of("k_proj", 3), Map.of("up_proj", 1.5), true);
    int[] ids = {1, 5, 22, 0, 9, 9, 14};
    try (Setup s = new Setup(device, dir, config);
        LanguageModel merged = LanguageModel.openMerged(s.tiny.folder(), s.backend, s.adapter)) {
      double[] apart = flat(new AdaptedModel(s.model(), s.adapter).logits(ids));
      double error = Golden.relative(flat(new AdaptedModel(merged, null).logits(ids)), apart);
      double bound = device.equals(TestBackends.REFERENCE) ? 1e-13 : 1e-5;
      assertTrue(error < bound, "merged differs by " + error);
      double plain = Golden.relative(flat(new AdaptedModel(s.model(), null).logits(ids)), apart);
      assertTrue(plain > 0.01, "the adapter does something");
      assertNotEquals(s.model().sha256(), merged.sha256());
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void distanceIsThatOfTheDeltaWeights(String device) {
    try (Setup s = new Setup(device, dir, ALL);
        LoraAdapter other = s.adapter.copy()) {
      assertEquals(0, s.adapter.deltaWeightDistance(s.adapter.theta(), other.theta()));
      TinyModels.randomize(s.backend, other.theta(), 0.3, SEED + 1);
      double sum = 0;
      for (LoraSlot slot : s.adapter.layout().slots()) {
        double[] difference = s.delta(slot, other.theta());
        double[] own = s.delta(slot, s.adapter.theta());
        for (int i = 0; i < own.length; i++) {
          sum += (difference[i] - own[i]) * (difference[i] - own[i]);
        }
      }
      double expected = Math.sqrt(sum);
      double got = s.adapter.deltaWeightDistance(s.adapter.theta(), other.theta());
      assertEquals(1, got / expected, 1e-12);
    }
  }

  @Test
  void movingAFactorFromOneMatrixToTheOtherIsNoDistance() {
    try (Setup s = new Setup("reference", dir, ALL);
        LoraAdapter other = s.adapter.copy()) {
      for (LoraSlot slot : s.adapter.layout().slots()) {
        long a = slot.rank() * slot.in();
        long b = slot.rank() * slot.out();
        s.backend.vectors().scale(8, other.theta().section(slot.aOffset(), Shape.of(a)));
        s.backend.vectors().scale(0.125, other.theta().section(slot.bOffset(), Shape.of(b)));
      }
      double size = s.backend.vectors().norm(s.adapter.theta());
      double got = s.adapter.deltaWeightDistance(s.adapter.theta(), other.theta());
      assertTrue(got < 1e-14 * size, "distance " + got);
    }
  }

  private static double[] flat(double[][] rows) {
    return Stream.of(rows).flatMapToDouble(Arrays::stream).toArray();
  }

  private static void assertSays(Runnable action, String... parts) {
    LetheException e = assertThrows(LetheException.class, action::run);
    for (String part : parts) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  /** A tiny model with an adapter. */
  private static final class Setup implements AutoCloseable {
    final Backend backend;
    final Tiny tiny;
    final LoraAdapter adapter;

    Setup(String device, Path dir, PeftAdapterConfig config) {
      backend = TestBackends.open(device);
      tiny = TinyModels.open(dir.resolve("tiny"), Dims.DEFAULT, backend, SEED);
      adapter = TinyModels.adapter(config, tiny.model(), SEED);
    }

    LanguageModel model() {
      return tiny.model();
    }

    double[] numbers(Tensor tensor) {
      return HostTensors.doubles(backend, tensor);
    }

    /** s·BA (out,in), entry by entry. */
    double[] delta(LoraSlot slot, Tensor theta) {
      double[] all = numbers(theta);
      int in = (int) slot.in();
      int rank = (int) slot.rank();
      double[] delta = new double[(int) slot.out() * in];
      for (int i = 0; i < delta.length; i++) {
        for (int r = 0; r < rank; r++) {
          double b = all[(int) slot.bOffset() + i / in * rank + r];
          delta[i] += slot.scale() * b * all[(int) slot.aOffset() + r * in + i % in];
        }
      }
      return delta;
    }

    @Override
    public void close() {
      adapter.close();
      tiny.close();
      backend.close();
    }
  }
}
