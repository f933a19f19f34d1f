package dev.lethe.tokenizer;

import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What Lethe itself needs to know of a tokenizer's files. The begin and end tokens come from {@code
 * tokenizer_config.json} and, where that is silent, from {@code config.json}.
 *
 * @param json the text of {@code tokenizer.json}
 * @param bosId −1 where none is declared
 * @param eosId −1 where none is declared
 * @param vocabSize one more than the highest token id
 */
record TokenizerFiles(String json, int bosId, int eosId, int vocabSize) {
  static final String MAIN = "tokenizer.json";
  private static final long MAX_BYTES = 64 << 20;
  private static final long MAX_SMALL_BYTES = 16 << 20;
  private static final int MAX_ID = 10_000_000;

  static TokenizerFiles read(Path folder) {
    Path main = folder.resolve(MAIN);
    if (!Files.exists(main) && Files.exists(folder.resolve("tokenizer.model"))) {
      throw new FormatException(
          Kind.FILE_MISSING,
          folder.toString(),
          "the tokenizer is in SentencePiece form only",
          MAIN,
          "tokenizer.model",
          "Save it from transformers with a fast tokenizer");
    }
    String json = StrictJson.readText(main, MAX_BYTES);
    Vocabulary vocabulary = new Vocabulary(main.toString());
    vocabulary.scan(json);
    int bos = special(folder, "bos_token", vocabulary.added);
    int eos = special(folder, "eos_token", vocabulary.added);
    return new TokenizerFiles(json, bos, eos, vocabulary.maxId + 1);
  }

  /** The id of a declared special token; −1 where none is. */
  private static int special(Path folder, String token, Map<String, Integer> added) {
    Path config = folder.resolve("tokenizer_config.json");
    if (Files.exists(config)) {
      JsonNode node = StrictJson.readObject(config, MAX_SMALL_BYTES).path(token);
      String content = node.isObject() ? node.path("content").asString("") : node.asString("");
      if (!content.isEmpty()) {
        Integer id = added.get(content);
        if (id == null) {
          throw new FormatException(
              Kind.TOKENIZER_FILE,
              config.toString(),
              token + " is no added token of " + MAIN,
              "one of its added_tokens",
              "'" + content + "'",
              "Fetch both files again; they do not belong together");
        }
        return id;
      }
    }
    Path model = folder.resolve("config.json");
    if (!Files.exists(model)) {
      return -1;
    }
    ObjectNode fields = StrictJson.readObject(model, MAX_SMALL_BYTES);
    JsonNode id = fields.path(token + "_id");
    JsonNode first = id.isArray() && !id.isEmpty() ? id.get(0) : id;
    return first.isIntegralNumber() && first.canConvertToInt() ? first.intValue() : -1;
  }

  /** Pulls the token ids out of a file of many megabytes without holding it as a tree. */
  private static final class Vocabulary {
    private final String where;
    private final Map<String, Integer> added = new HashMap<>();
    private int maxId = -1;

    private Vocabulary(String where) {
      this.where = where;
    }

    private void scan(String json) {
      try (JsonParser parser = StrictJson.parser(json)) {
        require(parser.nextToken() == JsonToken.START_OBJECT, "an object");
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String field = parser.currentName();
          JsonToken value = parser.nextToken();
          if (field.equals("added_tokens") && value == JsonToken.START_ARRAY) {
            scanAdded(parser);
          } else if (field.equals("model") && value == JsonToken.START_OBJECT) {
            scanModel(parser);
          } else {
            parser.skipChildren();
          }
        }
      } catch (JacksonException e) {
        throw StrictJson.syntax(e, where);
      }
      require(maxId >= 0, "a vocabulary");
    }

    private void scanAdded(JsonParser parser) {
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        JsonNode token = StrictJson.readTree(parser, where);
        JsonNode id = token.path("id");
        require(
            id.isIntegralNumber() && id.canConvertToInt() && token.path("content").isString(),
            "added_tokens of 'id' and 'content'");
        note(id.intValue());
        added.put(token.path("content").stringValue(), id.intValue());
      }
    }

    private void scanModel(JsonParser parser) {
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String field = parser.currentName();
        JsonToken value = parser.nextToken();
        if (field.equals("vocab") && value == JsonToken.START_OBJECT) {
          while (parser.nextToken() != JsonToken.END_OBJECT) {
            require(parser.nextToken() == JsonToken.VALUE_NUMBER_INT, "integer token ids");
            note(parser.getIntValue());
          }
        } else if (field.equals("vocab") && value == JsonToken.START_ARRAY) {
          scanList(parser);
        } else {
          parser.skipChildren();
        }
      }
    }

    /** Unigram models list their pieces; a piece's place is its id. */
    private void scanList(JsonParser parser) {
      int id = 0;
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        note(id++);
        parser.skipChildren();
      }
    }

    private void note(int id) {
      require(id >= 0 && id < MAX_ID, "token ids of 0 … " + (MAX_ID - 1) + ", not " + id);
      maxId = Math.max(maxId, id);
    }

    private void require(boolean right, String expected) {
      if (!right) {
        throw new FormatException(
            Kind.TOKENIZER_FILE,
            where,
            "this is not a tokenizer of the tokenizers library",
            expected,
            null,
            "Fetch the file again");
      }
    }
  }
}
