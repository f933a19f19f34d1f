package dev.lethe.tokenizer;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** The components of a {@code tokenizer.json} that the tokenizers library has, and what each of their fields holds. */
final class PartFields {
  /** What a field may hold; a set of texts is a choice. */
  enum Rule {
    FLAG("true or false"),
    FLAG_OR_NULL("true, false or null"),
    TEXT("a text of at most 256 characters"),
    SOME_TEXT("a text of 1 to 256 characters"),
    CHARACTER("one character"),
    COUNT("a number of 0 or more"),
    LENGTH("a number of 1 or more"),
    PATTERN("a String that is not empty, or a Regex"),
    TABLE("a text"),
    TOKEN("a text and the id of a token"),
    PIECES("a list of pieces"),
    SPECIAL("an object of special tokens"),
    LIST("a list of components"),
    NOTHING("zero or null"),
    EMPTY("null or an empty text"),
    ID("the id of a token");

    private final String words;

    Rule(String words) {
      this.words = words;
    }

    String words() {
      return words;
    }
  }

  static final Set<String> BEHAVIOURS =
      Set.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");
  static final Set<String> SCHEMES = Set.of("always", "never", "first");

  /** The fields of each component, and what each holds; a set is a choice. */
  static final Map<String, Map<String, Map<String, Object>>> COMPONENTS =
      Map.of(
          "normalizer",
          Map.ofEntries(
              of("NFC"), of("NFD"), of("NFKC"), of("NFKD"), of("Lowercase"), of("StripAccents"), of("Nmt"),
              of("ByteLevel"),
              of("BertNormalizer", "clean_text", Rule.FLAG, "handle_chinese_chars", Rule.FLAG, "strip_accents",
                  Rule.FLAG_OR_NULL,
                  "lowercase", Rule.FLAG),
              of("Strip", "strip_left", Rule.FLAG, "strip_right", Rule.FLAG),
              of("Replace", "pattern", Rule.PATTERN, "content", Rule.TEXT),
              of("Prepend", "prepend", Rule.SOME_TEXT),
              of("Precompiled", "precompiled_charsmap", Rule.TABLE),
              of("Sequence", "normalizers", Rule.LIST)),
          "pre_tokenizer",
          Map.ofEntries(
              of("ByteLevel", "add_prefix_space", Rule.FLAG, "trim_offsets", Rule.FLAG, "use_regex", Rule.FLAG),
              of("Metaspace", "replacement", Rule.CHARACTER, "add_prefix_space", Rule.FLAG, "prepend_scheme",
                  SCHEMES, "split", Rule.FLAG,
                  "str_rep", Rule.TEXT),
              of("Whitespace"), of("WhitespaceSplit"), of("BertPreTokenizer"), of("UnicodeScripts"),
              of("Digits", "individual_digits", Rule.FLAG),
              of("Punctuation", "behavior", BEHAVIOURS),
              of("Split", "pattern", Rule.PATTERN, "behavior", BEHAVIOURS, "invert", Rule.FLAG),
              of("CharDelimiterSplit", "delimiter", Rule.CHARACTER),
              of("FixedLength", "length", Rule.LENGTH),
              of("Sequence", "pretokenizers", Rule.LIST)),
          "post_processor",
          Map.ofEntries(
              of("ByteLevel", "add_prefix_space", Rule.FLAG, "trim_offsets", Rule.FLAG, "use_regex", Rule.FLAG),
              of("TemplateProcessing", "single", Rule.PIECES, "pair", Rule.PIECES, "special_tokens", Rule.SPECIAL),
              of("BertProcessing", "sep", Rule.TOKEN, "cls", Rule.TOKEN),
              of("RobertaProcessing", "sep", Rule.TOKEN, "cls", Rule.TOKEN, "trim_offsets", Rule.FLAG,
                  "add_prefix_space", Rule.FLAG),
              of("Sequence", "processors", Rule.LIST)),
          "decoder",
          Map.ofEntries(
              of("ByteLevel", "add_prefix_space", Rule.FLAG, "trim_offsets", Rule.FLAG, "use_regex", Rule.FLAG),
              of("Metaspace", "replacement", Rule.CHARACTER, "add_prefix_space", Rule.FLAG, "prepend_scheme",
                  SCHEMES, "split", Rule.FLAG,
                  "str_rep", Rule.TEXT),
              of("ByteFallback"), of("Fuse"),
              of("Replace", "pattern", Rule.PATTERN, "content", Rule.TEXT),
              of("Strip", "content", Rule.CHARACTER, "start", Rule.COUNT, "stop", Rule.COUNT),
              of("WordPiece", "prefix", Rule.TEXT, "cleanup", Rule.FLAG),
              of("BPEDecoder", "suffix", Rule.TEXT),
              of("CTC", "pad_token", Rule.TEXT, "word_delimiter_token", Rule.TEXT, "cleanup", Rule.FLAG),
              of("Sequence", "decoders", Rule.LIST)));

  static final Map<String, Map<String, Object>> MODELS =
      Map.ofEntries(
          of("BPE", "dropout", Rule.NOTHING, "unk_token", Rule.TEXT, "continuing_subword_prefix", Rule.EMPTY,
              "end_of_word_suffix", Rule.TEXT,
              "fuse_unk", Rule.FLAG, "byte_fallback", Rule.FLAG, "ignore_merges", Rule.FLAG),
          of("WordPiece", "unk_token", Rule.TEXT, "continuing_subword_prefix", Rule.TEXT, "max_input_chars_per_word",
              Rule.COUNT),
          of("WordLevel", "unk_token", Rule.TEXT),
          of("Unigram", "unk_id", Rule.ID, "byte_fallback", Rule.FLAG));

  private PartFields() {}

  private static Map.Entry<String, Map<String, Object>> of(String type, Object... fields) {
    Map<String, Object> rules = new HashMap<>();
    for (int i = 0; i < fields.length; i += 2) {
      rules.put((String) fields[i], fields[i + 1]);
    }
    return Map.entry(type, rules);
  }
}
