package dev.lethe.format.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters that are written in llama.cpp's format come back with their own numbers, scales and order of rows. */
class GgufLoraTest {
  private static final Path GOLDEN = Path.of("tests/resources/golden");

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"patterns", "rslora", "qwen2_bias", "mistral_sliding_window"})
  void comesBack(String name) {
    Path out = dir.resolve("lora.gguf");
    try (HfModelFolder base = HfModelFolder.open(GOLDEN.resolve(name));
        PeftFolder peft = PeftFolder.open(GOLDEN.resolve(name).resolve("adapter"))) {
      assertEquals(2 * peft.modules().size(), GgufLora.write(out, peft, base.config()));
      try (GgufFile file = GgufFile.open(out)) {
        boolean pairs = file.metadata().get("general.architecture").equals("llama");
        double alpha = ((Number) file.metadata().get("adapter.lora.alpha")).doubleValue();
        for (String module : peft.modules()) {
          String key = PeftFolder.PREFIX + module;
          Tensor a = file.get(GgufNames.toGguf(module + ".weight") + ".lora_a");
          assertArrayEquals(peft.tensors().get(key + PeftFolder.LORA_A).toDoubles(), a.toDoubles());
          Tensor rows = file.get(GgufNames.toGguf(module + ".weight") + ".lora_b");
          double[] got = (pairs ? inHalves(rows, module, base.config()) : rows).toDoubles();
          double scale = peft.config().scaleOf(module) / (alpha / a.dim(0));
          double[] expected = peft.tensors().get(key + PeftFolder.LORA_B).toDoubles();
          assertArrayEquals(Arrays.stream(expected).map(b -> scale * b).toArray(), got, 1e-6, module);
        }
      }
    }
  }

  @Test
  void moreThanPairsIsRefused() {
    try (HfModelFolder base = HfModelFolder.open(GOLDEN.resolve("saved_modules"));
        PeftFolder peft = PeftFolder.open(GOLDEN.resolve("saved_modules").resolve("adapter"))) {
      FormatException e =
          assertThrows(FormatException.class, () -> GgufLora.write(dir.resolve("x.gguf"), peft, base.config()));
      assertTrue(e.getMessage().contains("lm_head.weight") && e.getMessage().contains("lethe merge"), e.getMessage());
    }
  }

  private static Tensor inHalves(Tensor rows, String module, HfConfig config) {
    if (module.endsWith("q_proj")) {
      return RotaryRows.toHalves(rows, config.numAttentionHeads());
    }
    return module.endsWith("k_proj") ? RotaryRows.toHalves(rows, config.numKeyValueHeads()) : rows;
  }
}
