package dev.lethe.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Tokens that several files declare, and what post-processors put around a text, against transformers. */
class DeclaredTokensTest {
  private static final Path FOLDER = Path.of("tests", "resources", "tokenizers");
  private static final Path TINY = Path.of("tests", "resources", "tiny_tokenizer");

  @TempDir Path temp;

  @TestFactory
  Stream<DynamicTest> placesAreMergedAsInTransformers() {
    JsonNode golden = StrictJson.read(FOLDER.resolve("declared.json"), 1 << 24);
    JsonNode texts = golden.get("texts");
    return StreamSupport.stream(golden.get("cases").spliterator(), false)
        .map(c -> DynamicTest.dynamicTest(c.get("name").stringValue(), () -> requireIds(c, texts)));
  }

  private void requireIds(JsonNode c, JsonNode texts) throws IOException {
    Path folder = Files.createTempDirectory(temp, "case");
    Path start = FOLDER.resolve(c.get("start").stringValue()).resolve("tokenizer.json");
    ObjectNode json = StrictJson.readObject(start, 1 << 24);
    c.get("parts").properties().forEach(e -> json.set(e.getKey(), e.getValue()));
    Files.writeString(folder.resolve("tokenizer.json"), json.toString());
    for (var file : c.get("files").properties()) {
      Files.writeString(folder.resolve(file.getKey()), file.getValue().toString());
    }
    try (HfTokenizer tokenizer = HfTokenizer.open(folder)) {
      for (int i = 0; i < texts.size(); i++) {
        int[] expected = ints(c.get("ids").get(i));
        String text = texts.get(i).stringValue();
        assertArrayEquals(expected, tokenizer.encode(text, true), text);
        int[] bare = tokenizer.encode(text, false);
        int[] framed =
            Stream.of(tokenizer.before(), bare, tokenizer.after())
                .flatMapToInt(IntStream::of)
                .toArray();
        assertArrayEquals(expected, framed, text);
      }
    }
  }

  @Test
  void placesThatDisagreeAreRefused() throws IOException {
    refused("{\"added_tokens_decoder\": {\"600\": {\"content\": \"<|im_end|>\"}}}");
    refused("{\"added_tokens_decoder\": {\"1\": {\"content\": \"</s>\"}}}");
    refused("{\"added_tokens_decoder\": {\"x\": {\"content\": \"</s>\"}}}");
    refused("{\"eos_token\": [\"</s>\"]}");
    refused("{\"bos_token\": 1}");
    refused("{\"added_tokens_decoder\": {\"2\": {\"content\": \"</s>\", \"weight\": 2}}}");
    refused("{\"additional_special_tokens\": [\"a\"], \"extra_special_tokens\": [\"b\"]}");
    refused("{\"additional_special_tokens\": 5}");
    refused("{\"split_special_tokens\": true}");
    refused("{\"eos_token\": {\"content\": \"</s>\", \"lstrip\": \"yes\"}}");
  }

  @Test
  void whatDoesNotCountIsNamed() throws IOException {
    assertTrue(notes("{\"add_bos_token\": false}").getFirst().contains("add_bos_token"));
    assertTrue(notes("{\"add_eos_token\": true}").getFirst().contains("add_eos_token"));
    assertTrue(notes("{\"tokenizer_class\": \"XlmTokenizer\"}").getFirst().contains("XlmTokenizer"));
    assertTrue(notes("{\"tokenizer_class\": \"LlamaTokenizer\"}").getFirst().contains("space"));
    assertEquals(List.of(), notes("{\"add_bos_token\": true, \"add_eos_token\": false}"));
    Files.writeString(temp.resolve("special_tokens_map.json"), "{\"eos_token\": \"<s>\"}");
    String config =
        "{\"eos_token\": \"</s>\", \"added_tokens_decoder\": {\"2\": {\"content\": \"</s>\"}}}";
    assertTrue(notes(config).getFirst().contains("special_tokens_map.json"));
  }

  private List<String> notes(String config) throws IOException {
    write(config);
    try (HfTokenizer tokenizer = HfTokenizer.open(temp)) {
      return tokenizer.notes();
    }
  }

  private void refused(String config) throws IOException {
    write(config);
    FormatException e = assertThrows(FormatException.class, () -> HfTokenizer.open(temp).close());
    assertEquals(Kind.TOKENIZER_FILE, e.kind(), e.getMessage());
  }

  private void write(String config) throws IOException {
    Files.writeString(
        temp.resolve("tokenizer.json"), Files.readString(TINY.resolve("tokenizer.json")));
    Files.writeString(temp.resolve("tokenizer_config.json"), config);
  }

  private static int[] ints(JsonNode array) {
    return IntStream.range(0, array.size()).map(i -> array.get(i).intValue()).toArray();
  }
}
