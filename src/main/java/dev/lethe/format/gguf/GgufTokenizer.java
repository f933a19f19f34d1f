package dev.lethe.format.gguf;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A GGUF file's tokenizer in the form of the tokenizers library. What Hugging Face's own converters make of the same
 * vocabulary: byte-level BPE ({@code gpt2}) with the splitting rule that the file names, or SentencePiece BPE ({@code
 * llama}) with merges in the order of the pieces' scores.
 *
 * @param json the text of {@code tokenizer.json}
 * @param bosId −1 where none
 * @param eosId −1 where none
 * @param vocabSize one more than the highest token id
 * @param named the texts of special tokens by their names, such as {@code eos_token}
 */
public record GgufTokenizer(String json, int bosId, int eosId, int vocabSize, Map<String, String> named) {
  private static final System.Logger LOG = System.getLogger(GgufTokenizer.class.getName());
  private static final String REMEDY = "Give the Hugging Face tokenizer by --tokenizer DIR";
  private static final String KEY = "tokenizer.ggml.";

  /** Names of tokens, in Hugging Face's words. */
  private static final Map<String, String> NAMES =
      Map.of(
          "bos_token_id", "bos_token", "eos_token_id", "eos_token", "unknown_token_id", "unk_token",
          "padding_token_id", "pad_token", "seperator_token_id", "sep_token");

  /** Keys that change no token of a text in these two kinds of tokenizers. */
  private static final List<String> HARMLESS =
      List.of(
          "tokenizer.chat_template", "tokenizer.huggingface.json", KEY + "remove_extra_whitespaces",
          KEY + "precompiled_charsmap", KEY + "token_type_count", KEY + "mask_token_id", KEY + "cls_token_id",
          KEY + "fim_", KEY + "prefix_token_id", KEY + "suffix_token_id", KEY + "middle_token_id");

  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;

  /** Words, numbers of up to so many digits, and white space, as in the tokenizers of Llama 3 and Qwen 2. */
  private static final String WORDS =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+"
          + "|\\s+(?!\\S)|\\s+";

  private static final Map<String, Splitting> SPLITTINGS =
      Map.of(
          "llama-bpe", new Splitting(Text.format(WORDS, "\\p{N}{1,3}"), false, true, true),
          "qwen2", new Splitting(Text.format(WORDS, "\\p{N}"), true, false, false),
          "gpt-2", new Splitting(null, false, false, false));

  /**
   * How byte-level BPE splits a text.
   *
   * @param pattern null: GPT-2's own
   * @param composed whether text is brought into Unicode's form NFC first
   * @param whole whether a word that is a token needs no merges
   * @param begins whether a text begins with a special token where the file does not say
   */
  private record Splitting(String pattern, boolean composed, boolean whole, boolean begins) {}

  static GgufTokenizer of(GgufMetadata metadata) {
    String model = metadata.string(KEY + "model");
    List<String> tokens = metadata.list(KEY + "tokens", String.class);
    ObjectNode json = StrictJson.newObject().put("version", "1.0").putNull("truncation").putNull("padding");
    int bos = id(metadata, "bos_token_id", tokens.size());
    int eos = id(metadata, "eos_token_id", tokens.size());
    json.set("added_tokens", added(metadata, tokens));
    boolean begins =
        switch (model) {
          case "llama" -> pieces(metadata, tokens, json);
          case "gpt2" -> bytes(metadata, tokens, json);
          default -> throw refused(metadata, "model", "llama or gpt2", model);
        };
    json.set(
        "post_processor",
        around(
            tokens,
            metadata.flagOr(KEY + "add_bos_token", begins) ? bos : -1,
            metadata.flagOr(KEY + "add_eos_token", false) ? eos : -1));
    Map<String, String> named = named(metadata, tokens);
    nameTheRest(metadata);
    return new GgufTokenizer(json.toString(), bos, eos, tokens.size(), named);
  }

  private static Map<String, String> named(GgufMetadata metadata, List<String> tokens) {
    Map<String, String> named = new TreeMap<>();
    NAMES.forEach((key, name) -> {
      int id = id(metadata, key, tokens.size());
      if (id >= 0) {
        named.put(name, tokens.get(id));
      }
    });
    return Map.copyOf(named);
  }

  private static void nameTheRest(GgufMetadata metadata) {
    for (String key : metadata.unasked()) {
      if (key.startsWith("tokenizer.") && HARMLESS.stream().noneMatch(key::startsWith)) {
        LOG.log(System.Logger.Level.WARNING, "{0} is not used", metadata.place(key).where());
      }
    }
  }

  private static int id(GgufMetadata metadata, String name, int count) {
    long id = metadata.integerOr(KEY + name, -1);
    if (id >= count) {
      throw metadata.place(KEY + name).refuse(
          Kind.TOKEN_RANGE, "there is no such token", "0 to " + (count - 1), String.valueOf(id));
    }
    return (int) id;
  }

  /** Tokens that are found in a text before it is split: special ones and those that the user defined. */
  private static ArrayNode added(GgufMetadata metadata, List<String> tokens) {
    ArrayNode added = StrictJson.newObject().putArray("added_tokens");
    List<Long> types = types(metadata, tokens.size());
    for (int id = 0; id < types.size(); id++) {
      long type = types.get(id);
      if (type == UNKNOWN || type == CONTROL || type == USER_DEFINED) {
        added
            .addObject()
            .put("id", id)
            .put("content", tokens.get(id))
            .put("single_word", false)
            .put("lstrip", false)
            .put("rstrip", false)
            .put("normalized", false)
            .put("special", type != USER_DEFINED);
      }
    }
    return added;
  }

  private static List<Long> types(GgufMetadata metadata, int count) {
    List<Long> types = metadata.listOr(KEY + "token_type", Long.class, List.of());
    requireLength(metadata, "token_type", types.size(), types.isEmpty() ? 0 : count);
    return types;
  }

  private static void requireLength(GgufMetadata metadata, String name, int got, int expected) {
    if (got != expected) {
      throw metadata.place(KEY + name).refuse(
          Kind.SIZE_MISMATCH, "it has another length than the vocabulary", expected + " values", String.valueOf(got));
    }
  }

  /** SentencePiece BPE; returns whether a text begins with a special token where the file does not say. */
  private static boolean pieces(GgufMetadata metadata, List<String> tokens, ObjectNode json) {
    List<Double> scores = metadata.list(KEY + "scores", Double.class);
    requireLength(metadata, "scores", scores.size(), tokens.size());
    boolean prefix = metadata.flagOr(KEY + "add_space_prefix", true);
    ArrayNode normalizers = json.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
    if (prefix) {
      normalizers.addObject().put("type", "Prepend").put("prepend", "▁");
    }
    replace(normalizers.addObject(), " ", "▁");
    json.putNull("pre_tokenizer");
    ArrayNode decoders = json.putObject("decoder").put("type", "Sequence").putArray("decoders");
    replace(decoders.addObject(), "▁", " ");
    decoders.addObject().put("type", "ByteFallback");
    decoders.addObject().put("type", "Fuse");
    if (prefix) {
      decoders.addObject().put("type", "Strip").put("content", " ").put("start", 1).put("stop", 0);
    }
    List<Long> types = types(metadata, tokens.size());
    int unknown = types.indexOf((long) UNKNOWN);
    ObjectNode model = model(json, tokens, unknown < 0 ? null : tokens.get(unknown), true, false);
    Set<String> special = new HashSet<>();
    for (int id = 0; id < types.size(); id++) {
      if (types.get(id) == UNKNOWN || types.get(id) == CONTROL) {
        special.add(tokens.get(id));
      }
    }
    ArrayNode merges = model.putArray("merges");
    PieceMerges.of(tokens, scores, special).forEach(pair -> merges.addArray().add(pair.left()).add(pair.right()));
    return true;
  }

  private static void replace(ObjectNode node, String from, String to) {
    node.put("type", "Replace").put("content", to).putObject("pattern").put("String", from);
  }

  /** Byte-level BPE; returns whether a text begins with a special token where the file does not say. */
  private static boolean bytes(GgufMetadata metadata, List<String> tokens, ObjectNode json) {
    String pre = metadata.stringOr(KEY + "pre", "not named");
    Splitting splitting = SPLITTINGS.get(pre);
    if (splitting == null) {
      throw refused(metadata, "pre", String.join(", ", SPLITTINGS.keySet().stream().sorted().toList()), pre);
    }
    if (splitting.composed) {
      json.putObject("normalizer").put("type", "NFC");
    } else {
      json.putNull("normalizer");
    }
    ObjectNode byteLevel =
        StrictJson.newObject()
            .put("type", "ByteLevel")
            .put("add_prefix_space", metadata.flagOr(KEY + "add_space_prefix", false))
            .put("trim_offsets", true)
            .put("use_regex", splitting.pattern == null);
    if (splitting.pattern == null) {
      json.set("pre_tokenizer", byteLevel);
    } else {
      ArrayNode steps = json.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
      steps
          .addObject()
          .put("type", "Split")
          .put("behavior", "Isolated")
          .put("invert", false)
          .putObject("pattern")
          .put("Regex", splitting.pattern);
      steps.add(byteLevel);
    }
    json.putObject("decoder")
        .put("type", "ByteLevel").put("add_prefix_space", true).put("trim_offsets", true).put("use_regex", true);
    ObjectNode model = model(json, tokens, null, false, splitting.whole);
    ArrayNode merges = model.putArray("merges");
    for (String merge : metadata.list(KEY + "merges", String.class)) {
      int space = merge.indexOf(' ', 1);
      if (space < 0) {
        throw metadata.place(KEY + "merges").refuse(
            Kind.TOKENIZER_FILE, "a merge is no pair", "two tokens and a space between", Text.quote(merge));
      }
      merges.addArray().add(merge.substring(0, space)).add(merge.substring(space + 1));
    }
    return splitting.begins;
  }

  private static ObjectNode model(
      ObjectNode json, List<String> tokens, String unknown, boolean pieces, boolean whole) {
    ObjectNode model =
        json.putObject("model")
            .put("type", "BPE")
            .putNull("dropout")
            .put("unk_token", unknown)
            .putNull("continuing_subword_prefix")
            .putNull("end_of_word_suffix")
            .put("fuse_unk", pieces)
            .put("byte_fallback", pieces)
            .put("ignore_merges", whole);
    ObjectNode vocabulary = model.putObject("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      vocabulary.put(tokens.get(id), id);
    }
    return model;
  }

  /** What is put around a text; null for nothing. */
  private static ObjectNode around(List<String> tokens, int bos, int eos) {
    if (bos < 0 && eos < 0) {
      return null;
    }
    ObjectNode template = StrictJson.newObject().put("type", "TemplateProcessing");
    ArrayNode single = template.putArray("single");
    ArrayNode pair = template.putArray("pair");
    ObjectNode special = template.putObject("special_tokens");
    for (String sequence : List.of("A", "B")) {
      for (int id : new int[] {bos, -2, eos}) {
        ObjectNode part = StrictJson.newObject();
        if (id == -2) {
          part.putObject("Sequence").put("id", sequence).put("type_id", 0);
        } else if (id >= 0) {
          part.putObject("SpecialToken").put("id", tokens.get(id)).put("type_id", 0);
          ObjectNode entry = special.putObject(tokens.get(id)).put("id", tokens.get(id));
          entry.putArray("ids").add(id);
          entry.putArray("tokens").add(tokens.get(id));
        } else {
          continue;
        }
        pair.add(part);
        if (sequence.equals("A")) {
          single.add(part.deepCopy());
        }
      }
    }
    return template;
  }

  private static FormatException refused(GgufMetadata metadata, String name, String expected, String got) {
    return new FormatException(
        Kind.TOKENIZER_FILE,
        metadata.place(KEY + name).where(),
        "a tokenizer of this kind is not converted",
        expected,
        Text.quote(got),
        REMEDY);
  }
}
