package dev.lethe.format.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Sample;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.session.Session;
import dev.lethe.tensor.Tensor;
import dev.lethe.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys of a GGUF file mean what llama.cpp takes them for. */
class GgufMetadataTest {
  private static final Path WHOLE = Path.of("tests/resources/golden/gguf/llama.gguf");

  @TempDir private Path dir;

  /** llama.cpp stretches linearly where a file has a factor and no rule. */
  @Test
  void aFactorAloneStretchesLinearly() {
    for (String key : List.of("llama.rope.scaling.factor", "llama.rope.scale_linear")) {
      try (GgufModel model = GgufModel.open(with(key, 2f))) {
        assertEquals("{\"rope_type\":\"linear\",\"factor\":2.0}", model.configJson().get("rope_scaling").toString());
      }
    }
    try (GgufModel model = GgufModel.open(with("llama.rope.scaling.factor", 1f))) {
      assertTrue(model.configJson().path("rope_scaling").isMissingNode());
    }
  }

  @Test
  void whatHasNoDefaultMustBeThere() {
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> GgufModel.open(with("llama.attention.layer_norm_rms_epsilon", null)).close());
    assertEquals(Kind.MISSING_FIELD, e.kind());
    assertTrue(e.getMessage().contains("layer_norm_rms_epsilon"), e.getMessage());
  }

  @Test
  void conversationsAreRenderedByTheFilesOwnTemplate() throws IOException {
    Path file =
        with(
            "tokenizer.chat_template",
            "{% for m in messages %}{{ bos_token }}{{ m.content }}{{ eos_token }}{% endfor %}");
    Path rows =
        Files.writeString(
            dir.resolve("rows.jsonl"),
            "{\"messages\": [{\"role\": \"user\", \"content\": \"a b\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}\n");
    try (Session session = Session.open(file, "reference")) {
      Tokenizer tokenizer = session.tokenizer();
      String begin = tokenizer.named().get("bos_token");
      String end = tokenizer.named().get("eos_token");
      Sample sample = session.samples(rows).getFirst();
      assertArrayEquals(
          tokenizer.encode(begin + "a b" + end + begin + "b" + end, false), sample.inputIds());
      assertTrue(Arrays.stream(sample.labels()).anyMatch(label -> label == tokenizer.eosId()));
    }
  }

  /** The file with another value of a key, or without it. */
  private Path with(String changed, Object value) {
    Path path = dir.resolve("changed.gguf");
    try (GgufFile file = GgufFile.open(WHOLE)) {
      Map<String, Object> metadata = new LinkedHashMap<>(file.metadata());
      metadata.put(changed, value);
      metadata.values().removeIf(each -> each == null);
      metadata.replaceAll((key, each) -> stored(each));
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      file.names().forEach(name -> tensors.put(name, file.get(name)));
      GgufWriter.write(path, metadata, tensors);
    }
    return path;
  }

  private static Object stored(Object value) {
    return switch (value) {
      case Double number -> number.floatValue();
      case List<?> list -> list.stream().map(GgufMetadataTest::stored).toList();
      default -> value;
    };
  }
}
