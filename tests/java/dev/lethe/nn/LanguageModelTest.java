package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which models load, and how the others are refused. */
class LanguageModelTest {
  private static final long SEED = 5;
  private static final String TIED = "\"tie_word_embeddings\": true";
  private static final String UP = "model.layers.1.mlp.up_proj.weight";

  @TempDir Path dir;
  private final Backend backend = TestBackends.open(TestBackends.REFERENCE);

  @AfterEach
  void close() {
    backend.close();
  }

  @Test
  void aFamilyIsKnownByItsName() {
    assertRefusesConfig(config("model_type", "\"gpt_neox\""), "gpt_neox", "llama, mistral, qwen2");
    assertRefusesConfig(
        config("architectures", "[\"LlamaForSequenceClassification\"]"),
        "LlamaForSequenceClassification",
        "LlamaForCausalLM");
    assertRefusesConfig(config("hidden_act", "\"relu\""), "hidden_act", "relu", "silu");
  }

  @Test
  void rotaryScalingsThatAreNotComputedAreRefused() {
    String field = "{\"rope_type\": \"proportional\", \"factor\": 4.0}";
    assertRefusesConfig(config("rope_scaling", field), "proportional", "linear, llama3");
  }

  @Test
  void longRopeEndsWhereItsFactorsWouldChange() {
    String scaling =
        """
        {"rope_type": "longrope", "short_factor": [1.5], "long_factor": [4.0],
         "original_max_position_embeddings": 9}
        """;
    Path path =
        TinyModels.writeFolder(dir, config("rope_scaling", scaling), SEED);
    try (HfModelFolder folder = HfModelFolder.open(path);
        LanguageModel model = LanguageModel.open(folder, backend)) {
      assertEquals(9, model.spec().maxPositions());
      assertSays(
          assertThrows(
              LetheException.class, () -> new AdaptedModel(model, null).logits(new int[10])),
          "at most 9 tokens");
    }
  }

  @Test
  void aSlidingWindowIsNeverIgnored() {
    String window = "\"sliding_window\": 6, \"use_sliding_window\": true";
    assertRefusesConfig(Dims.DEFAULT.withConfig(window), "sliding window", "6 tokens");
    assertEquals(List.of(6, 6, 6), windows("mistral", "\"sliding_window\": 6"));
    assertEquals(List.of(0, 0, 0), windows("mistral", "\"sliding_window\": null"));
    assertEquals(List.of(0, 6, 6), windows("qwen2", window + ", \"max_window_layers\": 1"));
    assertEquals(List.of(0, 0, 0), windows("qwen2", "\"sliding_window\": 6"));
    String types = "\"full_attention\", \"sliding_attention\", \"full_attention\"";
    assertEquals(List.of(0, 6, 0), windows("qwen2", window + ", \"layer_types\": [" + types + "]"));
  }

  private List<Integer> windows(String type, String fields) {
    String architecture = type.equals("qwen2") ? "Qwen2ForCausalLM" : "MistralForCausalLM";
    String all =
        "\"model_type\": \"%s\", \"architectures\": [\"%s\"], %s"
            .formatted(type, architecture, fields);
    Dims dims = Dims.DEFAULT.withLayers(3).withConfig(all);
    Path path = TinyModels.writeFolder(dir.resolve(type + all.hashCode()), dims, SEED);
    try (HfModelFolder folder = HfModelFolder.open(path)) {
      return ModelFamily.spec(folder.config(), path.toString()).windows();
    }
  }

  @Test
  void weightsMustBeThoseOfTheConfiguration() {
    assertRefusesWeights(w -> w.remove(UP), "missing", UP);
    assertRefusesWeights(
        w -> w.put("model.layers.0.self_attn.q_proj.bias", zeros(12)),
        "does not account for",
        "model.layers.0.self_attn.q_proj.bias");
    assertRefusesWeights(w -> w.put(UP, zeros(17, 11)), UP, "(17,12)", "(17,11)");
    assertRefusesWeights(w -> w.put(UP, integers(17, 12)), UP, "floating point", "I32");
    assertRefusesWeights(w -> w.get(UP).set(40, Double.NaN), UP, "not finite", "element 40");
    assertRefusesWeights(
        w -> w.get("model.norm.weight").set(3, Double.POSITIVE_INFINITY), "model.norm.weight");
    assertEquals(0, backend.memoryUse().liveBytes(), "a failed load gives everything back");
  }

  @Test
  void whatFollowsFromTheConfigurationMayBeThere() {
    Map<String, Tensor> weights = TinyModels.weights(Dims.DEFAULT, SEED);
    weights.put("model.layers.0.self_attn.rotary_emb.inv_freq", zeros(2));
    try (HfModelFolder folder = folder("buffers", Dims.DEFAULT, weights);
        LanguageModel model = LanguageModel.open(folder, backend)) {
      assertEquals(23, model.spec().vocabulary());
      assertEquals(
          weights.values().stream().mapToLong(Tensor::elements).sum() - 2,
          model.spec().parameters());
    }
  }

  @Test
  void aTiedHeadIsTheEmbedding() {
    Dims tied = Dims.DEFAULT.withConfig(TIED);
    Map<String, Tensor> weights = TinyModels.weights(tied, SEED);
    Tensor embedding = weights.get("model.embed_tokens.weight");
    Tensor other = Tensor.of(embedding.shape(), new float[(int) embedding.elements()]);
    other.copyFrom(embedding);
    weights.put("lm_head.weight", other);
    try (HfModelFolder folder = folder("same", tied, weights);
        LanguageModel model = LanguageModel.open(folder, backend)) {
      assertTrue(model.spec().tiedEmbeddings());
    }
    Map<String, Tensor> underHead = new HashMap<>(weights);
    underHead.remove("model.embed_tokens.weight");
    try (HfModelFolder folder = folder("under the head", tied, underHead);
        LanguageModel model = LanguageModel.open(folder, backend)) {
      WeightFiles files = new WeightFiles(folder, model.spec(), weight -> false);
      assertTrue(files.finite("model.embed_tokens.weight").sameBytes(embedding));
    }
    other.set(7, 0.5);
    try (HfModelFolder folder = folder("differs", tied, weights)) {
      assertSays(
          assertThrows(LetheException.class, () -> LanguageModel.open(folder, backend)),
          "tie_word_embeddings",
          "lm_head.weight");
    }
  }

  @Test
  void aWeightOfAnotherShapeThanTheConfigurationSaysIsRefused() {
    Map<String, Tensor> weights = TinyModels.weights(Dims.DEFAULT, SEED);
    weights.put("model.norm.weight", zeros(Dims.DEFAULT.hidden() + 1));
    try (HfModelFolder folder = folder("misfit", Dims.DEFAULT, weights)) {
      assertSays(
          assertThrows(LetheException.class, () -> LanguageModel.open(folder, backend)),
          "model.norm.weight",
          "another shape");
    }
  }

  @Test
  void memoryIsAskedForBeforeLoading() {
    Dims dims = new Dims(9_000, 1 << 20, 1 << 20, 2, 2, 10_000_000, 64, "");
    try (HfModelFolder folder = folder("huge", dims, Map.of("x", zeros(1)))) {
      TransformerSpec spec = ModelFamily.spec(folder.config(), "huge");
      EnvironmentException e =
          assertThrows(EnvironmentException.class, () -> MemoryNeed.require(MemoryNeed.ofWeights(spec, backend), backend, "huge"));
      assertSays(e, "huge", "MiB");
    }
  }

  @Test
  void memoryComesBack() {
    Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED);
    assertTrue(backend.memoryUse().liveBytes() > 0);
    tiny.close();
    tiny.model().close();
    assertEquals(0, backend.memoryUse().liveBytes());
  }

  @Test
  void rotaryTablesGrowAndKeepTheirValues() {
    try (Tiny tiny = TinyModels.open(dir, Dims.DEFAULT.withMaxPositions(1000), backend, SEED);
        Scope scope = backend.openScope("test")) {
      RopeTables tables = new RopeTables(tiny.model().spec().rope(), tiny.model().spec(), backend, scope);
      RopeTable small = tables.atLeast(3);
      assertEquals(small, tables.atLeast(200), "one table serves both");
      RopeTable large = tables.atLeast(900);
      assertEquals(1000, large.positions());
      assertEquals(small.cos().get(77), large.cos().get(77));
      assertEquals(Math.cos(850), large.cos().get(850), 1e-15);
      assertEquals(Math.sin(850), large.sin().get(850), 1e-15);
      assertThrows(ArgumentException.class, () -> tables.atLeast(1001));
    }
  }

  private void assertRefusesConfig(Dims dims, String... says) {
    Path path = TinyModels.writeFolder(dir.resolve("c" + dims.hashCode()), dims, SEED);
    assertSays(assertThrows(LetheException.class, () -> open(path)), says);
  }

  private void open(Path path) {
    try (HfModelFolder folder = HfModelFolder.open(path)) {
      LanguageModel.open(folder, backend).close();
    }
  }

  private void assertRefusesWeights(Consumer<Map<String, Tensor>> change, String... says) {
    Map<String, Tensor> weights = TinyModels.weights(Dims.DEFAULT, SEED);
    change.accept(weights);
    try (HfModelFolder folder = folder("w" + change.hashCode(), Dims.DEFAULT, weights)) {
      assertSays(
          assertThrows(LetheException.class, () -> LanguageModel.open(folder, backend)), says);
    }
  }

  private HfModelFolder folder(String name, Dims dims, Map<String, Tensor> weights) {
    Path path = TinyModels.writeConfig(dir.resolve(name), dims);
    SafeTensors.write(path.resolve("model.safetensors"), weights, Map.of());
    return HfModelFolder.open(path);
  }

  /** The default configuration with one field changed. */
  private static Dims config(String field, String value) {
    return Dims.DEFAULT.withConfig("\"" + field + "\": " + value);
  }

  private static void assertSays(Exception e, String... parts) {
    for (String part : parts) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  private static Tensor zeros(long... dims) {
    Shape shape = Shape.of(dims);
    return Tensor.of(shape, new float[(int) shape.elements()]);
  }

  private static Tensor integers(long... dims) {
    Shape shape = Shape.of(dims);
    return Tensor.of(shape, new int[(int) shape.elements()]);
  }
}
