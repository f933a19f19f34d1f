package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What GPT-2's folders have of their own; its numbers are among those of {@link GoldenTest}. */
class Gpt2Test {
  private static final Path FOLDER = Path.of("tests/resources/golden/gpt2");

  @TempDir Path dir;

  /** As the oldest models on the hub are stored: without a prefix, with the causal masks. */
  @Test
  void namesWithoutThePrefixAndMasks() throws IOException {
    Files.copy(FOLDER.resolve("config.json"), dir.resolve("config.json"));
    try (SafeTensors whole = SafeTensors.open(FOLDER.resolve("model.safetensors"))) {
      Map<String, Tensor> stripped = new LinkedHashMap<>();
      for (String name : whole.names()) {
        stripped.put(name.replaceFirst("^transformer\\.", ""), whole.get(name));
      }
      for (int layer = 0; layer < 2; layer++) {
        stripped.put("h." + layer + ".attn.bias", Tensor.of(Shape.of(1, 1, 2, 2), 1f, 0f, 1f, 1f));
        stripped.put("h." + layer + ".attn.masked_bias", Tensor.of(Shape.of(1), -1e4f));
      }
      SafeTensors.write(dir.resolve("model.safetensors"), stripped, Map.of());
    }
    int[] ids = {1, 30, 7, 96, 12};
    assertArrayEquals(logits(FOLDER, ids), logits(dir, ids));
  }

  private static double[][] logits(Path folder, int[] ids) {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        HfModelFolder files = HfModelFolder.open(folder);
        LanguageModel model = LanguageModel.open(files, backend)) {
      return new AdaptedModel(model, null).logits(ids);
    }
  }

  @Test
  void aMergedAdapterGivesTheSameLogits() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Golden golden = Golden.variant("gpt2", backend);
        LanguageModel merged =
            LanguageModel.openMerged(golden.folder, backend, golden.adapter)) {
      int[] ids = golden.samples.getFirst().inputIds();
      double[][] expected = golden.adapted.logits(ids);
      double[][] got = new AdaptedModel(merged, null).logits(ids);
      for (int t = 0; t < ids.length; t++) {
        assertArrayEquals(expected[t], got[t], 1e-10);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"scale_attn_weights\": false | scale_attn_weights",
        "\"scale_attn_by_inverse_layer_idx\": true | scale_attn_by_inverse_layer_idx",
        "\"hidden_size\": 64 | hidden_size",
        "\"activation_function\": \"relu\" | activation_function",
        "\"rope_theta\": 10000.0 | rope_theta",
        "\"add_cross_attention\": true | add_cross_attention",
        "\"n_head\": 5 | n_head"
      })
  void whatIsNotComputedIsRefusedByName(String field, String name) throws IOException {
    String config = Files.readString(FOLDER.resolve("config.json")).strip();
    String key = field.substring(0, field.indexOf(':'));
    String without = config.replaceFirst("\\s*" + key + ":[^,}]*,", "");
    String changed = without.substring(0, without.lastIndexOf('}')) + ", " + field + "}";
    Files.writeString(dir.resolve("config.json"), changed);
    Files.copy(FOLDER.resolve("model.safetensors"), dir.resolve("model.safetensors"));
    LetheException e = assertThrows(LetheException.class, () -> logits(dir, new int[] {1}));
    assertTrue(e.getMessage().contains(name), e.getMessage());
  }

  @Test
  void theAdapterOfAFusedLayerIsOnePair() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Golden golden = Golden.variant("gpt2", backend)) {
      List<ParameterLayout.Parameter> parameters = golden.adapter.layout().parameters();
      String module = "base_model.model.transformer.h.0.attn.c_attn.";
      assertEquals(module + "lora_A.weight", parameters.getFirst().name());
      assertEquals(Shape.of(96, 3), parameters.get(1).shape());
      assertEquals(2 * 4 * 2, parameters.size());
    }
  }
}
