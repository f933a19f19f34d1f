package dev.lethe.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What would abort the process in the tokenizers library, or not come back, is refused by name before it gets there.
 */
class TokenizerPartsTest {
  private static final Path UNIGRAM = Path.of("tests/resources/tokenizers/unigram/tokenizer.json");

  @TempDir private Path dir;

  @Test
  void unigramWithItsTableIsRead() throws IOException {
    try (HfTokenizer tokenizer = open(StrictJson.readObject(UNIGRAM, 1 << 20))) {
      int[] plain = tokenizer.encode("cafe fi 1/2", true);
      assertTrue(plain.length > 3);
      assertArrayEquals(plain, tokenizer.encode("café ﬁ ½", true), "the table's replacements");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 40, 1000, -4, -1})
  void tablesThatAreCutOff(int keep) {
    byte[] table = Base64.getDecoder().decode(table());
    int length = keep < 0 ? table.length + keep : keep;
    String cut = Base64.getEncoder().encodeToString(Arrays.copyOf(table, length));
    if (keep != -1 && keep != -4) {
      assertTrue(Charsmap.problem(cut) != null, "a table of " + length + " bytes");
    }
    assertNull(Charsmap.problem(table()), "the whole one");
  }

  @Test
  void tablesWhoseTrieLeadsAway() {
    byte[] table = Base64.getDecoder().decode(table());
    byte[] root = table.clone();
    root[7] = (byte) 0xFF;
    root[6] = (byte) 0xFF;
    assertTrue(Charsmap.problem(Base64.getEncoder().encodeToString(root)).contains("outside"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "normalizer;{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"};it has no length",
        "normalizer;{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a+)+$\"},\"content\":\"b\"};time without end",
        "pre_tokenizer;{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+$\"},\"behavior\":\"Isolated\",\"invert\":false};time without end",
        "normalizer;{\"type\":\"Prepend\",\"prepend\":\"\"};a text of 1 to 256 characters",
        "pre_tokenizer;{\"type\":\"FixedLength\",\"length\":0};a number of 1 or more",
        "pre_tokenizer;{\"type\":\"Metaspace\",\"replacement\":\"ab\"};cannot be used",
        "pre_tokenizer;{\"type\":\"Own\"};'Own'",
        "pre_tokenizer;{\"type\":\"Whitespace\",\"more\":1};'more'",
        "post_processor;{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<x>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}};declared special token",
        "post_processor;{\"type\":\"BertProcessing\",\"sep\":[\"a\",99999999],\"cls\":[\"a\",1]};cannot be used",
        "model;{\"type\":\"BPE\",\"dropout\":0.1};zero or null",
        "model;{\"type\":\"Own\"};'Own'"
      })
  void whatTheLibraryDoesNotSurvive(String part, String value, String expected) throws IOException {
    ObjectNode json = StrictJson.readObject(UNIGRAM, 1 << 20);
    JsonNode other = StrictJson.parse(value, "test");
    if (part.equals("model")) {
      ((ObjectNode) other).set("vocab", StrictJson.parse("{\"a\":0,\"b\":1,\"c\":2}", "test"));
      json.putArray("added_tokens");
      json.putNull("post_processor");
    }
    json.set(part, other);
    FormatException e = assertThrows(FormatException.class, () -> open(json));
    assertTrue(e.getMessage().contains(expected) && e.getMessage().contains("tokenizer.json"), e.getMessage());
  }

  @Test
  void chainsOfReplacementsThatGrow() throws IOException {
    ObjectNode json = StrictJson.readObject(UNIGRAM, 1 << 20);
    ObjectNode chain = json.putObject("normalizer").put("type", "Sequence");
    var list = chain.putArray("normalizers");
    for (int i = 0; i < 17; i++) {
      list.addObject().put("type", "Replace").put("content", "aa").putObject("pattern").put("String", "a");
    }
    FormatException e = assertThrows(FormatException.class, () -> open(json));
    assertTrue(e.getMessage().contains("many times as long"), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\\p{N}{1,3}", " {2,}", "\\s+", "[^\\s\\p{L}\\p{N}]+", "[一-龥぀-ゟ゠-ヿ]+", "[0-9][0-9][0-9]", "\\s?\\p{L}+", "[\\r\\n]",
        "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+", "^▁+$",
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
      })
  void patternsThatComeBack(String pattern) {
    assertTrue(LinearPattern.accepts(pattern), pattern);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(a+)+$", "a+$", "a+b", "a*", "a?", "(?:a|a)+", "a+a+", "a{1,9999}", "a{2000}", ".*", "[a", "\\", "a|", "|a", "", "a**",
        "(?=a)b", "\\1", "a?a?a?a?a", "[a&&b]", "x{0,3}"
      })
  void patternsThatMayNot(String pattern) {
    assertFalse(LinearPattern.accepts(pattern), pattern);
  }

  private static String table() {
    return StrictJson.readObject(UNIGRAM, 1 << 20).at("/normalizer/normalizers/0/precompiled_charsmap").stringValue();
  }

  private HfTokenizer open(ObjectNode json) throws IOException {
    Files.writeString(dir.resolve("tokenizer.json"), json.toString());
    return HfTokenizer.open(dir);
  }
}
