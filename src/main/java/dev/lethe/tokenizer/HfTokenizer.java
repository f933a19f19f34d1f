package dev.lethe.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A Hugging Face {@code tokenizer.json}, run by the library that made it (DJL's binding of {@code
 * tokenizers}). The library's traps are closed: it is offline, it never truncates or pads, it
 * unpacks its native code into a private folder only. The file's post-processor decides whether a
 * text begins with a special token, as in transformers' fast tokenizers.
 */
public final class HfTokenizer implements Tokenizer {
  private static final Map<String, String> OPTIONS =
      Map.of("truncation", "do_not_truncate", "padding", "do_not_pad");

  private final HuggingFaceTokenizer library;
  private final int bosId;
  private final int eosId;
  private final int vocabSize;

  private HfTokenizer(HuggingFaceTokenizer library, TokenizerFiles files) {
    this.library = library;
    this.vocabSize = files.vocabSize();
    this.eosId = files.eosId();
    int[] around = encode("", true);
    boolean begins = around.length > 0 && around[0] == files.bosId();
    this.bosId = begins ? files.bosId() : -1;
  }

  /** Opens the tokenizer of a model folder. */
  public static HfTokenizer open(Path modelFolder) {
    return open(TokenizerFiles.read(modelFolder), modelFolder.resolve(TokenizerFiles.MAIN));
  }

  /**
   * A tokenizer that another file holds.
   *
   * @param where that file, for messages
   * @param json as {@code tokenizer.json} has it
   * @param bosId −1 where none is declared
   * @param eosId −1 where none is declared
   * @param vocabSize one more than the highest token id
   */
  public static HfTokenizer of(Path where, String json, int bosId, int eosId, int vocabSize) {
    return open(new TokenizerFiles(json, bosId, eosId, vocabSize), where);
  }

  private static HfTokenizer open(TokenizerFiles files, Path where) {
    TokenizerLibrary.prepare();
    HuggingFaceTokenizer library = load(files.json(), where);
    try {
      HfTokenizer tokenizer = new HfTokenizer(library, files);
      library = null;
      return tokenizer;
    } finally {
      if (library != null) {
        library.close();
      }
    }
  }

  @Override
  public int[] encode(String text, boolean addSpecialTokens) {
    requireText(text);
    long[] ids = library.encode(text, addSpecialTokens, false).getIds();
    return IntStream.range(0, ids.length).map(i -> Math.toIntExact(ids[i])).toArray();
  }

  @Override
  public String decode(int[] ids) {
    return library.decode(IntStream.of(ids).asLongStream().toArray(), true);
  }

  @Override
  public int bosId() {
    return bosId;
  }

  @Override
  public int eosId() {
    return eosId;
  }

  @Override
  public int vocabSize() {
    return vocabSize;
  }

  /** Frees the library's memory. Closing twice is harmless. */
  @Override
  public void close() {
    library.close();
  }

  /** The library would replace what its strings cannot hold with U+FFFD and not say so. */
  private static void requireText(String text) {
    boolean loneSurrogate =
        text.codePoints()
            .anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    if (loneSurrogate || text.indexOf('\0') >= 0) {
      throw new FormatException(
          Kind.CANNOT_ENCODE,
          "a text of " + text.length() + " characters",
          "it holds what the tokenizers library cannot take",
          "Unicode text without U+0000",
          loneSurrogate ? "half of a surrogate pair" : "U+0000",
          "Remove the character from the data");
    }
  }

  private static HuggingFaceTokenizer load(String json, Path file) {
    try (ByteArrayInputStream bytes =
        new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8))) {
      return HuggingFaceTokenizer.newInstance(bytes, OPTIONS);
    } catch (IOException | RuntimeException e) {
      throw new FormatException(
          Kind.TOKENIZER_FILE,
          file.toString(),
          "the tokenizers library refuses the file",
          "a tokenizer.json that transformers reads",
          String.valueOf(e.getMessage()),
          "Fetch the file again",
          e);
    } catch (LinkageError e) {
      throw TokenizerLibrary.unusable(e);
    }
  }
}
