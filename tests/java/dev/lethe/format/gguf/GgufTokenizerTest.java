package dev.lethe.format.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.Text;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.tokenizer.HfTokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Byte-level tokenizers that llama.cpp's package wrote into GGUF metadata, against transformers' tokens. */
class GgufTokenizerTest {
  private static final Path FOLDER = Path.of("tests", "resources", "tokenizers");

  @ParameterizedTest
  @ValueSource(strings = {"llama3", "qwen3", "gpt2"})
  void smallTokenizersGiveTransformersTokens(String name) {
    requireEqual(FOLDER.resolve(name + ".gguf"), "golden.json", name);
  }

  /** Skips where the files are not there; {@code make_gguf.py} writes them beside the real tokenizers. */
  @ParameterizedTest
  @ValueSource(strings = {"llama3", "qwen3", "gpt2"})
  void realTokenizersGiveTransformersTokens(String name) {
    String folder = System.getenv("LETHE_TOKENIZERS");
    Path file = folder == null ? null : Path.of(folder, name + ".gguf");
    assumeTrue(
        file != null && Files.exists(file),
        () -> "skipped: no " + name + ".gguf; point LETHE_TOKENIZERS at a folder of real ones");
    requireEqual(file, "real.json", name);
  }

  private static void requireEqual(Path path, String golden, String name) {
    JsonNode expected = StrictJson.read(FOLDER.resolve(golden), 1 << 24);
    List<String> differences = new ArrayList<>();
    try (GgufFile file = GgufFile.open(path)) {
      GgufTokenizer own = GgufTokenizer.of(new GgufMetadata(file.metadata(), Place.of(path)));
      try (HfTokenizer tokenizer = HfTokenizer.of(path, own.json(), own.bosId(), own.eosId(), own.vocabSize(), own.named())) {
        JsonNode texts = expected.get("text");
        assertTrue(texts.size() > 200);
        for (int i = 0; i < texts.size(); i++) {
          int[] ids = ints(expected.get("ids").get(name).get(i));
          int[] got = tokenizer.encode(texts.get(i).stringValue(), true);
          if (!Arrays.equals(ids, got)) {
            differences.add(
                Text.format("%s: expected %s, got %s", texts.get(i), Arrays.toString(ids), Arrays.toString(got)));
          }
        }
      }
    }
    assertEquals(List.of(), differences);
  }

  private static int[] ints(JsonNode array) {
    return IntStream.range(0, array.size()).map(i -> array.get(i).intValue()).toArray();
  }
}
