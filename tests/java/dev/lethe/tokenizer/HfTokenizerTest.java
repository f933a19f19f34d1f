package dev.lethe.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.RealData;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class HfTokenizerTest {
  private static final Path TINY = Path.of("tests", "resources", "tiny_tokenizer");
  private static final long MAX = 1 << 24;

  @TempDir Path temp;

  @Test
  void tokensAreThoseOfTransformers() {
    try (HfTokenizer tokenizer = HfTokenizer.open(TINY)) {
      for (JsonNode one : StrictJson.read(TINY.resolve("vectors.json"), MAX)) {
        String text = one.get("text").stringValue();
        int[] ids = ints(one.get("ids"));
        assertArrayEquals(ids, tokenizer.encode(text, true), text);
        assertArrayEquals(ints(one.get("bare")), tokenizer.encode(text, false), text);
        assertEquals(one.get("decoded").stringValue(), tokenizer.decode(ids), text);
      }
    }
  }

  @Test
  void nothingIsTruncatedOrPadded() {
    try (HfTokenizer tokenizer = HfTokenizer.open(TINY)) {
      String text = "once upon a time ".repeat(5000);
      int[] ids = tokenizer.encode(text, true);
      assertTrue(ids.length > 20_000);
      assertEquals(text, tokenizer.decode(ids));
      assertEquals(1, tokenizer.encode("a", false).length);
    }
  }

  @Test
  void truncationAndPaddingOfTheFileItselfAreSwitchedOff() throws IOException {
    String json = Files.readString(TINY.resolve("tokenizer.json"));
    String truncation =
        "{\"direction\":\"Right\",\"max_length\":4,\"strategy\":\"LongestFirst\",\"stride\":0}";
    String padding =
        "{\"strategy\":{\"Fixed\":8},\"direction\":\"Right\",\"pad_to_multiple_of\":null,"
            + "\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"<unk>\"}";
    String changed =
        json.replaceFirst("\"truncation\": ?null", "\"truncation\":" + truncation)
            .replaceFirst("\"padding\": ?null", "\"padding\":" + padding);
    assertTrue(changed.contains("max_length") && changed.contains("pad_id"));
    Files.writeString(temp.resolve("tokenizer.json"), changed);
    try (HfTokenizer tiny = HfTokenizer.open(TINY);
        HfTokenizer cutting = HfTokenizer.open(temp)) {
      for (String text : new String[] {"a", "Once upon a time there was a little girl."}) {
        assertArrayEquals(tiny.encode(text, true), cutting.encode(text, true));
      }
    }
  }

  @Test
  void specialTokensComeFromTheFiles() throws IOException {
    try (HfTokenizer tokenizer = HfTokenizer.open(TINY)) {
      assertEquals(1, tokenizer.bosId());
      assertEquals(2, tokenizer.eosId());
      assertEquals(512, tokenizer.vocabSize());
    }
    copyMain();
    try (HfTokenizer bare = HfTokenizer.open(temp)) {
      assertEquals(-1, bare.bosId());
      assertEquals(-1, bare.eosId());
    }
    Files.writeString(
        temp.resolve("config.json"), "{\"bos_token_id\": 1, \"eos_token_id\": [2, 0]}");
    try (HfTokenizer fromModel = HfTokenizer.open(temp)) {
      assertEquals(1, fromModel.bosId());
      assertEquals(2, fromModel.eosId());
    }
    Files.writeString(
        temp.resolve("tokenizer_config.json"),
        "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"<unk>\"}");
    try (HfTokenizer both = HfTokenizer.open(temp)) {
      assertEquals(1, both.bosId());
      assertEquals(0, both.eosId());
    }
    Files.writeString(temp.resolve("tokenizer_config.json"), "{\"eos_token\": \"<|end|>\"}");
    refused(Kind.TOKENIZER_FILE);
  }

  @Test
  void thePostProcessorDecidesWhetherATextHasABegin() throws IOException {
    String json = Files.readString(TINY.resolve("tokenizer.json"));
    int from = json.indexOf("\"post_processor\"");
    int to = json.indexOf("\"decoder\"");
    Files.writeString(
        temp.resolve("tokenizer.json"),
        json.substring(0, from) + "\"post_processor\": null, " + json.substring(to));
    Files.copy(TINY.resolve("tokenizer_config.json"), temp.resolve("tokenizer_config.json"));
    try (HfTokenizer tokenizer = HfTokenizer.open(temp)) {
      assertEquals(-1, tokenizer.bosId());
      assertArrayEquals(tokenizer.encode("a", false), tokenizer.encode("a", true));
      assertEquals(2, tokenizer.eosId());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{}|TOKENIZER_FILE",
        "[]|TOKENIZER_FILE",
        "{\"model\": {\"vocab\": {\"a\": -1}}}|TOKENIZER_FILE",
        "{\"model\": {\"vocab\": {\"a\": 99999999}}}|TOKENIZER_FILE",
        "{\"model\": {\"vocab\": {\"a\": \"x\"}}}|TOKENIZER_FILE",
        "{\"model\": {\"vocab\": {\"a\": 99999999999}}}|JSON_SYNTAX",
        "{\"added_tokens\": [{\"id\": 1}]}|TOKENIZER_FILE",
        "{\"added_tokens\": [5]}|TOKENIZER_FILE",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}|TOKENIZER_FILE",
        "{\"model\": 1, \"model\": 2}|DUPLICATE_KEY",
        "{\"model\": {|JSON_SYNTAX"
      })
  void filesThatAreNoTokenizersAreRefused(String json, Kind kind) throws IOException {
    Files.writeString(temp.resolve("tokenizer.json"), json);
    refused(kind);
  }

  @Test
  void missingAndOversizedFilesAreRefused() throws IOException {
    refused(Kind.FILE_MISSING);
    Files.write(temp.resolve("tokenizer.model"), new byte[1]);
    assertTrue(refused(Kind.FILE_MISSING).getMessage().contains("SentencePiece"));
    try (RandomAccessFile huge =
        new RandomAccessFile(temp.resolve("tokenizer.json").toFile(), "rw")) {
      huge.setLength((64 << 20) + 1);
    }
    refused(Kind.TOO_LARGE);
  }

  @Test
  void textThatTheLibraryWouldChangeSilentlyIsRefused() {
    try (HfTokenizer tokenizer = HfTokenizer.open(TINY)) {
      for (String text : new String[] {"a\0b", "a\uD83Eb", "\uDD99"}) {
        FormatException e =
            assertThrows(FormatException.class, () -> tokenizer.encode(text, false));
        assertEquals(Kind.CANNOT_ENCODE, e.kind());
      }
    }
  }

  /** The file by itself is the published tokenizer; transformers 5 builds another from it where the class says so. */
  @Test
  void llama2EncodesAsPublished() throws IOException {
    Path folder = RealData.require("tok_llama2");
    JsonNode own = StrictJson.read(folder.resolve("llama2c_test_vectors.json"), MAX);
    JsonNode others =
        StrictJson.read(
            RealData.require("ref_tokenizer_vectors/llama2_llama-tokenizer-js.json"), MAX);
    Files.copy(folder.resolve("tokenizer.json"), temp.resolve("tokenizer.json"));
    try (HfTokenizer tokenizer = HfTokenizer.open(temp)) {
      assertEquals(32000, tokenizer.vocabSize());
      for (JsonNode one : own.get("cases")) {
        assertArrayEquals(
            ints(one.get("ids")), tokenizer.encode(one.get("prompt").stringValue(), true));
      }
      for (JsonNode one : others.get("encode_with_bos")) {
        assertArrayEquals(
            ints(one.get("ids")), tokenizer.encode(one.get("text").stringValue(), true));
      }
      String text = "word ".repeat(3000);
      assertTrue(tokenizer.encode(text, true).length > 3000, "the file's own cut at 512 is off");
    }
  }

  @Test
  void theNativeCodeIsUnpackedWhereNobodyElseCanWrite() throws IOException {
    HfTokenizer.open(TINY).close();
    Path folder = Path.of(System.getProperty("DJL_CACHE_DIR"));
    assertEquals(
        "rwx------",
        java.nio.file.attribute.PosixFilePermissions.toString(
            Files.getPosixFilePermissions(folder)));
    assertEquals("true", System.getProperty("ai.djl.offline"));
  }

  private FormatException refused(Kind kind) {
    FormatException e = assertThrows(FormatException.class, () -> HfTokenizer.open(temp).close());
    assertEquals(kind, e.kind(), e.getMessage());
    return e;
  }

  private void copyMain() throws IOException {
    Files.copy(TINY.resolve("tokenizer.json"), temp.resolve("tokenizer.json"));
  }

  private static int[] ints(JsonNode array) {
    return IntStream.range(0, array.size()).map(i -> array.get(i).intValue()).toArray();
  }
}
