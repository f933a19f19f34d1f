package dev.lethe.tokenizer;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.lethe.Lifetime;
import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/**
 * A Hugging Face {@code tokenizer.json}, run by the library that made it (DJL's binding of {@code
 * tokenizers}). The library's traps are closed: it is offline, it never truncates or pads, it
 * unpacks its native code into a private folder only. The file's post-processor decides what stands
 * around a text, whatever its name, as in transformers 5; {@code add_bos_token} and {@code
 * add_eos_token} of {@code tokenizer_config.json} are named where they say otherwise.
 */
public final class HfTokenizer implements Tokenizer {
  private static final Map<String, String> OPTIONS =
      Map.of("truncation", "do_not_truncate", "padding", "do_not_pad");
  private static final String PROBE = "a b";

  private final Lifetime lifetime;
  private final HuggingFaceTokenizer library;
  private final int[] before;
  private final int[] after;
  private final int bosId;
  private final int eosId;
  private final int vocabSize;
  private final Map<String, String> named;
  private final Set<Integer> special;
  private final List<String> notes = new ArrayList<>();

  private HfTokenizer(HuggingFaceTokenizer library, TokenizerFiles files, Path file) {
    this.lifetime = new Lifetime("tokenizer " + file);
    this.library = library;
    this.vocabSize = files.vocabSize();
    this.eosId = files.eosId();
    this.named = Map.copyOf(files.named());
    this.special = files.special();
    int[] bare = encode(PROBE, false);
    int[] whole = encode(PROBE, true);
    int from = indexOf(bare, whole);
    if (from < 0) {
      throw Place.of(file).refuse(
          Kind.TOKENIZER_FILE, "its post-processor changes more than the ends of a text",
          "tokens before and after the text's own", "others between them");
    }
    this.before = Arrays.copyOf(whole, from);
    this.after = Arrays.copyOfRange(whole, from + bare.length, whole.length);
    this.bosId = from > 0 && before[0] == files.bosId() ? before[0] : -1;
    notes.addAll(files.notes());
    nameFlag(files, "add_bos_token", from > 0, file);
    nameFlag(files, "add_eos_token", after.length > 0, file);
  }

  private void nameFlag(TokenizerFiles files, String flag, boolean effect, Path file) {
    JsonNode said = files.config().path(flag);
    if (said.isBoolean() && said.booleanValue() != effect) {
      notes.add(
          Text.format(
              "%s: %s is %s in tokenizer_config.json and the post-processor adds %s; the latter counts, as in"
                  + " transformers 5",
              file, flag, said, effect ? "such a token" : "none"));
    }
  }

  /** Opens the tokenizer of a model folder. */
  public static HfTokenizer open(Path modelFolder) {
    return open(TokenizerFiles.read(modelFolder), modelFolder.resolve(TokenizerJson.NAME));
  }

  /**
   * A tokenizer that another file holds.
   *
   * @param where that file, for messages
   * @param json as {@code tokenizer.json} has it
   * @param bosId −1 where none is declared
   * @param eosId −1 where none is declared
   * @param vocabSize one more than the highest token id
   * @param named the texts of special tokens by their names, such as {@code eos_token}
   */
  public static HfTokenizer of(
      Path where, String json, int bosId, int eosId, int vocabSize, Map<String, String> named) {
    return open(TokenizerFiles.of(where, json, bosId, eosId, vocabSize, named), where);
  }

  private static HfTokenizer open(TokenizerFiles files, Path where) {
    TokenizerLibrary.prepare();
    HuggingFaceTokenizer library = load(files.json(), where);
    try {
      HfTokenizer tokenizer = new HfTokenizer(library, files, where);
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
    return ids(encoding(text, addSpecialTokens));
  }

  @Override
  public TokenSpans spans(String text) {
    Encoding encoding = encoding(text, false);
    CharSpan[] spans = encoding.getCharTokenSpans();
    int[] starts = new int[spans.length];
    int[] ends = new int[spans.length];
    int[] places = charsOfCodePoints(text);
    for (int t = 0; t < spans.length; t++) {
      starts[t] = places[spans[t].getStart()];
      ends[t] = places[spans[t].getEnd()];
    }
    return new TokenSpans(ids(encoding), starts, ends);
  }

  @Override
  public String decode(int[] ids) {
    lifetime.requireOpen();
    return library.decode(IntStream.of(ids).asLongStream().toArray(), true);
  }

  @Override
  public int[] before() {
    lifetime.requireOpen();
    return before.clone();
  }

  @Override
  public int[] after() {
    lifetime.requireOpen();
    return after.clone();
  }

  @Override
  public Map<String, String> named() {
    lifetime.requireOpen();
    return named;
  }

  @Override
  public boolean isSpecial(int id) {
    lifetime.requireOpen();
    return special.contains(id);
  }

  @Override
  public List<String> notes() {
    lifetime.requireOpen();
    return List.copyOf(notes);
  }

  @Override
  public int bosId() {
    lifetime.requireOpen();
    return bosId;
  }

  @Override
  public int eosId() {
    lifetime.requireOpen();
    return eosId;
  }

  @Override
  public int vocabSize() {
    lifetime.requireOpen();
    return vocabSize;
  }

  /** Frees the library's memory. Closing twice is harmless. */
  @Override
  public void close() {
    lifetime.end();
    library.close();
  }

  private Encoding encoding(String text, boolean addSpecialTokens) {
    lifetime.requireOpen();
    requireText(text);
    try {
      return library.encode(text, addSpecialTokens, false);
    } catch (RuntimeException e) {
      throw new FormatException(
          Kind.CANNOT_ENCODE, "a text of " + text.length() + " characters", "the tokenizers library refuses it",
          "a text that the tokenizer has tokens for", String.valueOf(e.getMessage()),
          "Use the tokenizer.json that the model was published with", e);
    }
  }

  private static int[] ids(Encoding encoding) {
    long[] ids = encoding.getIds();
    return IntStream.range(0, ids.length).map(i -> Math.toIntExact(ids[i])).toArray();
  }

  /** The library counts code points; for each, its place in {@code char}s, and the text's length at the end. */
  private static int[] charsOfCodePoints(String text) {
    int[] places = new int[text.codePointCount(0, text.length()) + 1];
    for (int point = 0, at = 0; point < places.length - 1; point++) {
      places[point] = at;
      at += Character.charCount(text.codePointAt(at));
    }
    places[places.length - 1] = text.length();
    return places;
  }

  private static int indexOf(int[] part, int[] whole) {
    for (int from = 0; from + part.length <= whole.length; from++) {
      if (Arrays.equals(part, 0, part.length, whole, from, from + part.length)) {
        return from;
      }
    }
    return -1;
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
