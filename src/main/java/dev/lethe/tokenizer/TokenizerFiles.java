package dev.lethe.tokenizer;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A tokenizer's files as one. The begin and end tokens come from {@code tokenizer_config.json} and, where that is
 * silent, from {@code config.json}.
 *
 * @param json a {@code tokenizer.json} that says all that the files say
 * @param bosId −1 where none is declared
 * @param eosId −1 where none is declared
 * @param vocabSize one more than the highest token id
 * @param named the named special tokens, such as {@code eos_token}, and their texts
 * @param special the ids of special tokens
 * @param config {@code tokenizer_config.json}; empty where there is none
 * @param notes what a user should know of how the files were read
 */
record TokenizerFiles(
    String json,
    int bosId,
    int eosId,
    int vocabSize,
    Map<String, String> named,
    Set<Integer> special,
    ObjectNode config,
    List<String> notes) {
  private static final long MAX_SMALL_BYTES = 16 << 20;

  static TokenizerFiles read(Path folder) {
    Path file = folder.resolve(TokenizerJson.NAME);
    if (!Files.exists(file) && Files.exists(folder.resolve("tokenizer.model"))) {
      throw new FormatException(
          Kind.FILE_MISSING,
          folder.toString(),
          "the tokenizer is in SentencePiece form only",
          TokenizerJson.NAME,
          "tokenizer.model",
          "Save it from transformers with a fast tokenizer");
    }
    TokenizerJson main = TokenizerJson.read(file);
    ObjectNode config = object(folder.resolve(DeclaredTokens.CONFIG));
    ObjectNode model = object(folder.resolve("config.json"));
    requireUsable(config, folder);
    List<String> notes = new ArrayList<>();
    TokenizerClass tokenizerClass = TokenizerClass.of(main, config, model, notes);
    DeclaredTokens tokens = DeclaredTokens.of(folder, main, config, tokenizerClass);
    notes.addAll(tokens.notes());
    nameDifferences(main, config, tokenizerClass, notes);
    int bos = tokens.id("bos_token");
    int eos = tokens.id("eos_token");
    int size = Math.max(main.maxId(), tokens.maxId()) + 1;
    Map<String, JsonNode> parts = tokenizerClass.parts(main, config);
    requireSafe(main, parts, size);
    return new TokenizerFiles(
        main.with(parts, tokens.json()),
        bos < 0 && !config.has("bos_token") ? idOf(model, "bos_token_id") : bos,
        eos < 0 && !config.has("eos_token") ? idOf(model, "eos_token_id") : eos,
        size,
        tokens.named(),
        tokens.specialIds(),
        config,
        List.copyOf(notes));
  }

  /** What one file says alone. */
  static TokenizerFiles of(
      Path where, String json, int bosId, int eosId, int vocabSize, Map<String, String> named) {
    Set<Integer> special = new HashSet<>();
    for (JsonNode token : StrictJson.parse(json, where.toString()).path("added_tokens")) {
      if (token.path("special").asBoolean(false)) {
        special.add(token.path("id").intValue());
      }
    }
    return new TokenizerFiles(
        json, bosId, eosId, vocabSize, named, Set.copyOf(special), StrictJson.newObject(), List.of());
  }

  /** Checks what the library will see; parts that the class builds anew are safe. */
  private static void requireSafe(TokenizerJson main, Map<String, JsonNode> others, int size) {
    TokenizerParts safe = new TokenizerParts(main.where(), size);
    for (String kind : List.of("normalizer", "pre_tokenizer", "post_processor", "decoder")) {
      safe.check(kind, others.getOrDefault(kind, main.part(kind)));
    }
    if (!others.containsKey("model")) {
      safe.checkModel(main.modelFields());
    }
  }

  private static ObjectNode object(Path file) {
    return Files.exists(file)
        ? StrictJson.readObject(file, MAX_SMALL_BYTES)
        : StrictJson.newObject();
  }

  private static int idOf(ObjectNode model, String field) {
    JsonNode id = model.path(field);
    JsonNode first = id.isArray() && !id.isEmpty() ? id.get(0) : id;
    return first.isIntegralNumber() && first.canConvertToInt() ? first.intValue() : -1;
  }

  private static void requireUsable(ObjectNode config, Path folder) {
    if (config.path("split_special_tokens").asBoolean(false)) {
      throw Place.of(folder.resolve(DeclaredTokens.CONFIG)).refuse(
          Kind.TOKENIZER_FILE, "special tokens in a text are to be split, which is not supported",
          "split_special_tokens false", "true");
    }
  }

  private static void nameDifferences(
      TokenizerJson main, ObjectNode config, TokenizerClass tokenizerClass, List<String> notes) {
    if (!main.unknown().isEmpty()) {
      notes.add(Text.format("%s: fields that are not used: %s", main.where(), main.unknown()));
    }
    JsonNode normalizer = main.part("normalizer");
    if (tokenizerClass == TokenizerClass.LLAMA
        && normalizer != null
        && normalizer.findValuesAsString("type").contains("Prepend")) {
      notes.add(
          Text.format("%s: built as transformers 5 builds LlamaTokenizer: a text that begins with a space gets no further one,"
                  + " unlike what the file alone would do", main.where()));
    }
    JsonNode wanted = config.path("add_prefix_space");
    JsonNode preTokenizer = main.part("pre_tokenizer");
    if (!tokenizerClass.isBuiltAnew() && wanted.isBoolean() && preTokenizer != null) {
      for (JsonNode node : preTokenizer.findValues("add_prefix_space")) {
        if (!node.equals(wanted)) {
          notes.add(
              Text.format(
                  "%s: add_prefix_space is %s here and %s in %s; the former counts, as in transformers 5",
                  main.where(), node, wanted, DeclaredTokens.CONFIG));
        }
      }
    }
  }
}
