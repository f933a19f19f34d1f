package dev.lethe.format.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.RealData;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class PeftFolderTest {
  private static final String Q = "base_model.model.model.layers.0.self_attn.q_proj";

  @TempDir Path temp;

  @Test
  void whatIsWrittenIsReadBack() {
    PeftAdapterConfig config =
        PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny")
            .withPatterns(Map.of("layers.1.self_attn.q_proj", 1), Map.of(), false);
    Map<String, Tensor> tensors = pair(2);
    tensors.put(Q.replace(".0.", ".1.") + ".lora_A.weight", Tensor.of(Shape.of(1, 3), 1f, 2f, 3f));
    tensors.put(Q.replace(".0.", ".1.") + ".lora_B.weight", Tensor.of(Shape.of(2, 1), 1f, 2f));
    PeftFolder.write(temp.resolve("out"), config, tensors);
    try (PeftFolder read = PeftFolder.open(temp.resolve("out"))) {
      assertSameTensors(tensors, read.tensors());
      assertEquals(config.raw(), read.config().raw());
      assertEquals(
          Set.of("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"),
          read.modules());
      assertEquals(64, read.sha256().length());
    }
  }

  @Test
  void fieldsThatAreNotReadSurviveByteForValue() {
    ObjectNode json = PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny").raw();
    String notRead =
        """
        {"a": 0.1000000000000000055511151231257827, "b": 123456789012345678901234567890, "c": 1E-7,
         "d": [null, true, {"x": "käse \\u0001"}], "e": 1.50}
        """;
    json.set("auto_mapping", StrictJson.parse(notRead, "test"));
    PeftAdapterConfig config = PeftAdapterConfig.parse(json, "test");
    PeftFolder.write(temp.resolve("out"), config, pair(2));
    try (PeftFolder read = PeftFolder.open(temp.resolve("out"))) {
      assertEquals(json.toString(), read.config().raw().toString());
      assertTrue(
          json.toString().contains("0.1000000000000000055511151231257827")
              && json.toString().contains("1.50"),
          json.toString());
    }
  }

  /** Some programs save a model's own state, which has the adapter's name in its keys. */
  @Test
  void keysMayHaveTheAdaptersName() throws IOException {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny");
    Path dir = temp.resolve("named");
    PeftFolder.write(dir, config, pair(2));
    Map<String, Tensor> named = new LinkedHashMap<>();
    pair(2).forEach((key, tensor) -> named.put(key.replace(".weight", ".default.weight"), tensor));
    Files.delete(dir.resolve("adapter_model.safetensors"));
    SafeTensors.write(dir.resolve("adapter_model.safetensors"), named, Map.of());
    try (PeftFolder read = PeftFolder.open(dir)) {
      assertSameTensors(pair(2), read.tensors());
    }
    named.putAll(pair(2));
    Files.delete(dir.resolve("adapter_model.safetensors"));
    SafeTensors.write(dir.resolve("adapter_model.safetensors"), named, Map.of());
    FormatException e = Refusals.refusal(Kind.ADAPTER_MISMATCH, () -> PeftFolder.open(dir));
    assertTrue(e.getMessage().contains("'default', no name"), e.getMessage());
  }

  @Test
  void anExistingFolderIsNeverTouched() throws IOException {
    Path out = Files.createDirectory(temp.resolve("out"));
    Files.writeString(out.resolve("mine"), "x");
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny");
    Refusals.refusal(Kind.OUTPUT_EXISTS, () -> PeftFolder.write(out, config, pair(2)));
    assertEquals("x", Files.readString(out.resolve("mine")));
    assertLeftInTemp(1);
  }

  @Test
  void aFailedWriteLeavesNothing() throws IOException {
    PeftAdapterConfig config = PeftAdapterConfig.create(3, 4, 0, List.of("q_proj"), "tiny");
    Refusals.refusal(
        Kind.ADAPTER_MISMATCH, () -> PeftFolder.write(temp.resolve("out"), config, pair(2)));
    assertLeftInTemp(0);
  }

  @Test
  void tensorsMustFitTheConfiguration() {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny");
    refuse(Kind.ADAPTER_MISMATCH, config, Map.of());
    Map<String, Tensor> half = pair(2);
    half.remove(Q + ".lora_B.weight");
    refuse(Kind.ADAPTER_MISMATCH, config, half);
    refuse(Kind.ADAPTER_MISMATCH, config, pair(3));
    PeftAdapterConfig other = PeftAdapterConfig.create(2, 4, 0, List.of("v_proj"), "tiny");
    refuse(Kind.ADAPTER_MISMATCH, other, pair(2));
    Map<String, Tensor> vector = pair(2);
    vector.put(Q + ".lora_A.weight", Tensor.of(Shape.of(2), 1f, 2f));
    refuse(Kind.ADAPTER_MISMATCH, config, vector);
    Map<String, Tensor> integers = pair(2);
    integers.put(Q + ".lora_A.weight", Tensor.of(Shape.of(2, 1), 1, 2));
    refuse(Kind.ADAPTER_MISMATCH, config, integers);
  }

  @Test
  void otherKindsOfTensorsAreRefusedByName() {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny");
    for (String suffix :
        List.of(
            ".lora_magnitude_vector", ".lora_B.bias", ".weight.scale", ".lora_A.default.weight")) {
      Map<String, Tensor> tensors = pair(2);
      tensors.put(Q + suffix, Tensor.of(Shape.of(2, 1), 1f, 2f));
      assertTrue(refuse(Kind.UNSUPPORTED, config, tensors).getMessage().contains(suffix), suffix);
    }
  }

  @Test
  void aWeightThatIsNotANumberIsRefused() {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0, List.of("q_proj"), "tiny");
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      Map<String, Tensor> tensors = pair(2);
      tensors.get(Q + ".lora_B.weight").set(3, bad);
      FormatException e = refuse(Kind.NOT_FINITE, config, tensors);
      assertTrue(e.getMessage().contains("element 3"), e.getMessage());
    }
  }

  @Test
  void pickledAndMissingAdaptersAreNamed() throws IOException {
    Refusals.refusal(Kind.FILE_MISSING, () -> PeftFolder.open(temp.resolve("nowhere")));
    Files.writeString(
        temp.resolve("adapter_config.json"),
        "{\"peft_type\": \"LORA\", \"r\": 2, \"target_modules\": [\"q_proj\"]}");
    Refusals.refusal(Kind.FILE_MISSING, () -> PeftFolder.open(temp));
    Files.write(temp.resolve("adapter_model.bin"), new byte[1]);
    Refusals.refusal(Kind.PICKLE, () -> PeftFolder.open(temp));
  }

  @Test
  void aRealAdapterIsReadAndWrittenBackUnchanged() {
    Path real = RealData.require("peft_qwen05b_lora");
    try (PeftFolder adapter = PeftFolder.open(real)) {
      assertEquals(96, adapter.tensors().size());
      assertEquals(2, adapter.config().scaleOf("model.layers.0.self_attn.q_proj"));
      PeftFolder.write(temp.resolve("copy"), adapter.config(), adapter.tensors());
      try (PeftFolder copy = PeftFolder.open(temp.resolve("copy"))) {
        assertSameTensors(adapter.tensors(), copy.tensors());
        assertEquals(
            StrictJson.read(real.resolve("adapter_config.json"), 1 << 20), copy.config().raw());
      }
    }
  }

  private FormatException refuse(Kind kind, PeftAdapterConfig config, Map<String, Tensor> tensors) {
    return Refusals.refusal(kind, () -> PeftFolder.write(temp.resolve("out"), config, tensors));
  }

  private void assertLeftInTemp(int count) throws IOException {
    try (Stream<Path> left = Files.list(temp)) {
      assertEquals(count, left.count());
    }
  }

  private static void assertSameTensors(Map<String, Tensor> expected, Map<String, Tensor> got) {
    assertEquals(expected.keySet(), got.keySet());
    expected.forEach(
        (name, tensor) -> {
          assertEquals(tensor.toString(), got.get(name).toString(), name);
          assertEquals(-1, tensor.segment().mismatch(got.get(name).segment()), name);
        });
  }

  /** One pair: A (rank, 3), B (2, rank). */
  private static Map<String, Tensor> pair(int rank) {
    float[] a = new float[rank * 3];
    float[] b = new float[2 * rank];
    for (int i = 0; i < a.length; i++) {
      a[i] = i;
    }
    Map<String, Tensor> tensors = new HashMap<>();
    tensors.put(Q + ".lora_A.weight", Tensor.of(Shape.of(rank, 3), a));
    tensors.put(Q + ".lora_B.weight", Tensor.of(Shape.of(2, rank), b));
    return tensors;
  }
}
