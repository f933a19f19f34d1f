package dev.lethe.tokenizer;

import dev.lethe.Text;
import dev.lethe.format.StrictJson;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The classes of transformers 5 that build a tokenizer anew from the vocabulary and merges of a {@code tokenizer.json},
 * with a normalizer, pre-tokenizer and decoder of their own. All others take the file as it is.
 */
enum TokenizerClass {
  /** Takes the file as it is. */
  AS_FILE(Map.of()) {
    @Override
    Map<String, JsonNode> parts(TokenizerJson main, ObjectNode config) {
      return Map.of();
    }
  },

  /** Spaces are ▁, and a text that does not begin with one gets one. */
  LLAMA(Map.of("unk_token", "<unk>", "bos_token", "<s>", "eos_token", "</s>")) {
    @Override
    Map<String, JsonNode> parts(TokenizerJson main, ObjectNode config) {
      boolean prefix = config.path("add_prefix_space").asBoolean(true);
      boolean legacy = config.path("legacy").asBoolean(false);
      String scheme = !prefix ? "never" : legacy ? "always" : "first";
      return anew(
          "null",
          Text.format("""
          {"type":"Metaspace","replacement":"▁","prepend_scheme":"%s","split":false}""", scheme),
          sentencePieceDecoder(prefix),
          Text.format(BYTE_FALLBACK, "null"));
    }
  },

  /** Spaces are ▁; nothing is put before a text. */
  GEMMA(
      Map.of(
          "unk_token", "<unk>", "bos_token", "<bos>", "eos_token", "<eos>", "pad_token", "<pad>",
          "mask_token", "<mask>")) {
    @Override
    Map<String, JsonNode> parts(TokenizerJson main, ObjectNode config) {
      String unknown = config.path("unk_token").asString("<unk>");
      return anew(
          """
          {"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
          """
          {"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""",
          sentencePieceDecoder(false),
          Text.format(BYTE_FALLBACK, StrictJson.newObject().put("t", unknown).get("t")));
    }
  },

  /** Bytes, in Unicode's composed form, cut by Qwen's pattern. */
  QWEN2(
      Map.of(
          "unk_token", "<|endoftext|>", "eos_token", "<|endoftext|>", "pad_token", "<|endoftext|>")) {
    @Override
    Map<String, JsonNode> parts(TokenizerJson main, ObjectNode config) {
      boolean prefix = config.path("add_prefix_space").asBoolean(false);
      return anew(
          "{\"type\":\"NFC\"}",
          "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
              + StrictJson.newObject().put("r", QWEN_PATTERN).get("r")
              + "},\"behavior\":\"Isolated\",\"invert\":false},"
              + byteLevel(prefix, false)
              + "]}",
          byteLevel(true, true),
          BYTES);
    }
  },

  /** Bytes, cut by GPT-2's pattern. */
  GPT2(
      Map.of(
          "unk_token", "<|endoftext|>", "bos_token", "<|endoftext|>", "eos_token", "<|endoftext|>")) {
    @Override
    Map<String, JsonNode> parts(TokenizerJson main, ObjectNode config) {
      boolean prefix = config.path("add_prefix_space").asBoolean(false);
      return anew("null", byteLevel(prefix, true), byteLevel(true, true), BYTES);
    }
  };

  private static final String QWEN_PATTERN =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
          + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String BYTE_FALLBACK =
      """
      {"type":"BPE","dropout":null,"unk_token":%s,"continuing_subword_prefix":null,"end_of_word_suffix":null,\
      "fuse_unk":true,"byte_fallback":true,"ignore_merges":false}""";
  private static final String BYTES =
      """
      {"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"",\
      "fuse_unk":false,"byte_fallback":false,"ignore_merges":false}""";

  /** Names of classes that take the file as it is by their nature. */
  private static final Set<String> PLAIN =
      Set.of("PreTrainedTokenizer", "TokenizersBackend", "PythonBackend");

  private static final Map<String, TokenizerClass> BY_NAME =
      Map.of(
          "LlamaTokenizer", LLAMA, "GemmaTokenizer", GEMMA, "Qwen2Tokenizer", QWEN2,
          "GPT2Tokenizer", GPT2);

  /** The class that transformers has registered for a model type; the plain one where that is listed as null. */
  private static final Map<String, String> REGISTERED =
      Map.ofEntries(
          Map.entry("qwen2", "Qwen2Tokenizer"),
          Map.entry("qwen3", "Qwen2Tokenizer"),
          Map.entry("gemma", "GemmaTokenizer"),
          Map.entry("gemma2", "GemmaTokenizer"),
          Map.entry("gemma3", "GemmaTokenizer"),
          Map.entry("gemma3_text", "GemmaTokenizer"),
          Map.entry("gpt2", "GPT2Tokenizer"),
          Map.entry("mistral", "TokenizersBackend"),
          Map.entry("mixtral", "TokenizersBackend"),
          Map.entry("phi3", "TokenizersBackend"),
          Map.entry("olmo2", "TokenizersBackend"));

  private final Map<String, String> usualTokens;

  TokenizerClass(Map<String, String> usualTokens) {
    this.usualTokens = usualTokens;
  }

  /** The parts of a file that the class replaces, {@code model} among them. */
  abstract Map<String, JsonNode> parts(TokenizerJson main, ObjectNode config);

  /** The named tokens that the class has where {@code tokenizer_config.json} does not speak of them. */
  Map<String, String> usualTokens() {
    return usualTokens;
  }

  boolean isBuiltAnew() {
    return this != AS_FILE;
  }

  /**
   * The class that transformers' {@code AutoTokenizer} takes.
   *
   * @param model the model's {@code config.json}, which may be empty
   * @param notes takes a sentence where a class is not known here
   */
  static TokenizerClass of(TokenizerJson main, ObjectNode config, ObjectNode model, List<String> notes) {
    String own = config.path("tokenizer_class").asString("");
    String named = plainName(own.isEmpty() ? model.path("tokenizer_class").asString("") : own);
    String type = model.path("model_type").asString("");
    String registered = REGISTERED.getOrDefault(type, "");
    String chosen = named.isEmpty() ? registered : named;
    if (!named.isEmpty() && !registered.isEmpty() && !registered.equals(named)) {
      chosen = registered.equals("TokenizersBackend") ? "" : type.equals("qwen2") ? registered : named;
    }
    TokenizerClass found = BY_NAME.getOrDefault(chosen, AS_FILE);
    if (found == AS_FILE && !chosen.isEmpty() && !PLAIN.contains(chosen)) {
      notes.add(
          Text.format("%s: tokenizer class %s is not known here; the file is used as it is", main.where(), chosen));
    }
    boolean bpe = main.model("type").asString("BPE").equals("BPE");
    if (found.isBuiltAnew() && !bpe) {
      notes.add(
          Text.format(
              "%s: %s builds a BPE tokenizer and the file has %s; the file is used as it is",
              main.where(), chosen, main.model("type").asString("")));
      return AS_FILE;
    }
    return found;
  }

  private static String plainName(String name) {
    return name.endsWith("Fast") ? name.substring(0, name.length() - 4) : name;
  }

  private static Map<String, JsonNode> anew(
      String normalizer, String preTokenizer, String decoder, String model) {
    Map<String, JsonNode> parts = new LinkedHashMap<>();
    parts.put("normalizer", StrictJson.parse(normalizer, "normalizer"));
    parts.put("pre_tokenizer", StrictJson.parse(preTokenizer, "pre_tokenizer"));
    parts.put("decoder", StrictJson.parse(decoder, "decoder"));
    parts.put("model", StrictJson.parse(model, "model"));
    return parts;
  }

  private static String byteLevel(boolean prefix, boolean pattern) {
    return Text.format(
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":%b,\"trim_offsets\":true,\"use_regex\":%b}",
        prefix, pattern);
  }

  private static String sentencePieceDecoder(boolean strip) {
    return "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"▁\"},\"content\":\" \"},"
        + "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"
        + (strip ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "")
        + "]}";
  }
}
