package dev.lethe.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Strings on which tokenizers differ, against what transformers makes of them. */
class HardStringsTest {
  private static final Path FOLDER = Path.of("tests", "resources", "tokenizers");

  @ParameterizedTest
  @ValueSource(strings = {"llama2", "mistral", "llama3", "qwen3", "gemma3", "gpt2"})
  void smallTokenizersOfEachFamilyGiveTransformersTokens(String name) {
    requireEqual(FOLDER.resolve(name), "golden.json", name);
  }

  /** Skips where the folder of real tokenizers is not there; README.md beside the golden numbers says what is in it. */
  @ParameterizedTest
  @ValueSource(strings = {"llama2", "mistral", "llama3", "qwen3", "gemma3", "gpt2", "deepseek3"})
  void realTokenizersGiveTransformersTokens(String name) {
    String folder = System.getenv("LETHE_TOKENIZERS");
    assumeTrue(
        folder != null && Files.exists(Path.of(folder, name)),
        () -> "skipped: no tokenizer " + name + "; point LETHE_TOKENIZERS at a folder of real ones");
    requireEqual(Path.of(folder, name), "real.json", name);
  }

  private static void requireEqual(Path tokenizerFolder, String golden, String name) {
    JsonNode file = StrictJson.read(FOLDER.resolve(golden), 1 << 24);
    JsonNode texts = file.get("text");
    JsonNode ids = file.get("ids").get(name);
    assertTrue(texts.size() > 200);
    List<String> differences = new ArrayList<>();
    try (HfTokenizer tokenizer = HfTokenizer.open(tokenizerFolder)) {
      for (int i = 0; i < texts.size(); i++) {
        String text = texts.get(i).stringValue();
        int[] expected = ints(ids.get(i));
        int[] got = tokenizer.encode(text, true);
        if (!Arrays.equals(expected, got)) {
          differences.add(
              "%s: expected %s, got %s"
                  .formatted(texts.get(i), Arrays.toString(expected), Arrays.toString(got)));
        }
        requireSpans(tokenizer, text);
      }
    }
    assertEquals(List.of(), differences);
  }

  /** Places ascend, lie in the text and belong to the tokens of the text. */
  private static void requireSpans(HfTokenizer tokenizer, String text) {
    TokenSpans spans = tokenizer.spans(text);
    assertTrue(Arrays.equals(tokenizer.encode(text, false), spans.ids()), text);
    int[] starts = spans.starts();
    int[] ends = spans.ends();
    for (int t = 0; t < starts.length; t++) {
      assertTrue(0 <= starts[t] && starts[t] <= ends[t] && ends[t] <= text.length(), text);
      assertTrue(t == 0 || starts[t - 1] <= starts[t], text);
    }
    assertEquals(0, spans.edge(0), text);
    assertEquals(starts.length, spans.edge(text.length()), text);
  }

  private static int[] ints(JsonNode array) {
    return IntStream.range(0, array.size()).map(i -> array.get(i).intValue()).toArray();
  }
}
