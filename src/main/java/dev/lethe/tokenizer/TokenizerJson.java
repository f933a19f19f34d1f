package dev.lethe.tokenizer;

import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The parts of a {@code tokenizer.json}. Those that say how a text is cut are trees; vocabulary and merges, many
 * megabytes, stay text.
 */
final class TokenizerJson {
  static final String NAME = "tokenizer.json";
  private static final long MAX_BYTES = 64 << 20;
  private static final int MAX_ID = 10_000_000;
  private static final Set<String> PARTS =
      Set.of(
          "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
          "post_processor", "decoder", "model");

  private final String where;
  private final Map<String, JsonNode> parts = new LinkedHashMap<>();
  private final Map<String, JsonNode> model = new LinkedHashMap<>();
  private final Map<String, String> bulk = new LinkedHashMap<>();
  private final Map<String, Integer> ids = new HashMap<>();
  private final Map<Integer, AddedToken> added = new LinkedHashMap<>();
  private final Set<String> unknown = new TreeSet<>();
  private int maxId = -1;

  private TokenizerJson(String where) {
    this.where = where;
  }

  static TokenizerJson read(Path file) {
    TokenizerJson json = new TokenizerJson(file.toString());
    json.scan(StrictJson.readText(file, MAX_BYTES));
    return json;
  }

  /** The file, for messages. */
  String where() {
    return where;
  }

  /** A part other than the model; null where the file has none. */
  JsonNode part(String name) {
    JsonNode part = parts.get(name);
    return part == null || part.isNull() ? null : part;
  }

  /** A field of the model other than its vocabulary and merges. */
  JsonNode model(String name) {
    return model.getOrDefault(name, JsonNodeFactory.instance.missingNode());
  }

  /** The model's fields other than its vocabulary and merges. */
  Map<String, JsonNode> modelFields() {
    return model;
  }

  /** The declared added tokens, by id. */
  Map<Integer, AddedToken> added() {
    return added;
  }

  /** Fields that the format does not have. */
  Set<String> unknown() {
    return unknown;
  }

  /** The id that the model's vocabulary gives to a token; null where it has none. */
  Integer id(String content) {
    return ids.get(content);
  }

  /** Tokens in the model's vocabulary. */
  int size() {
    return ids.size();
  }

  /** The highest id in the model's vocabulary. */
  int maxId() {
    return maxId;
  }

  /**
   * The file's text with other parts. Nothing is cut or padded, and tokens say where in the text they stand, white
   * space included.
   *
   * @param others by name; a part that is not among them stays; {@code model} has fields, which take the place of all
   *     the model's but vocabulary and merges
   */
  String with(Map<String, JsonNode> others, ArrayNode addedTokens) {
    StringBuilder text = new StringBuilder("{\"version\":\"1.0\",\"truncation\":null,\"padding\":null");
    text.append(",\"added_tokens\":").append(addedTokens);
    for (String name : new String[] {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
      JsonNode part = others.containsKey(name) ? others.get(name) : part(name);
      text.append(",\"").append(name).append("\":").append(part == null ? "null" : untrimmed(part));
    }
    text.append(",\"model\":{");
    Map<String, String> fields = new LinkedHashMap<>();
    if (others.containsKey("model")) {
      others.get("model").properties().forEach(f -> fields.put(f.getKey(), f.getValue().toString()));
    } else {
      model.forEach((name, value) -> fields.put(name, value.toString()));
    }
    fields.putAll(bulk);
    fields.forEach((name, value) -> text.append('"').append(name).append("\":").append(value).append(','));
    text.setCharAt(text.length() - 1, '}');
    return text.append('}').toString();
  }

  private static JsonNode untrimmed(JsonNode part) {
    JsonNode copy = part.deepCopy();
    copy.findParents("trim_offsets").forEach(node -> ((ObjectNode) node).put("trim_offsets", false));
    return copy;
  }

  private void scan(String text) {
    try (JsonParser parser = StrictJson.parser(text)) {
      require(parser.nextToken() == JsonToken.START_OBJECT, "an object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String field = parser.currentName();
        JsonToken value = parser.nextToken();
        if (field.equals("model") && value == JsonToken.START_OBJECT) {
          scanModel(parser, text);
        } else if (PARTS.contains(field)) {
          parts.put(field, StrictJson.readTree(parser, where));
        } else {
          unknown.add(field);
          parser.skipChildren();
        }
      }
    } catch (JacksonException e) {
      throw StrictJson.syntax(e, where);
    }
    scanAdded();
    require(maxId >= 0, "a vocabulary");
    JsonNode version = parts.get("version");
    require(version == null || "1.0".equals(version.stringValue(null)), "version 1.0");
  }

  private void scanAdded() {
    JsonNode list = part("added_tokens");
    require(list == null || list.isArray(), "added_tokens as a list");
    if (list == null) {
      return;
    }
    for (JsonNode token : list) {
      JsonNode id = token.path("id");
      require(
          id.isIntegralNumber() && id.canConvertToInt() && token.path("content").isString(),
          "added_tokens of 'id' and 'content'");
      requireId(id.intValue());
      AddedToken before =
          added.put(id.intValue(), AddedToken.of(token, false, where + ": added_tokens"));
      require(before == null, "every id once in added_tokens");
      maxId = Math.max(maxId, id.intValue());
    }
  }

  private void scanModel(JsonParser parser, String text) {
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String field = parser.currentName();
      JsonToken value = parser.nextToken();
      boolean container = value == JsonToken.START_OBJECT || value == JsonToken.START_ARRAY;
      if (container && (field.equals("vocab") || field.equals("merges"))) {
        int from = Math.toIntExact(parser.currentTokenLocation().getCharOffset());
        if (field.equals("merges")) {
          parser.skipChildren();
        } else if (value == JsonToken.START_OBJECT) {
          scanVocabulary(parser);
        } else {
          scanPieces(parser);
        }
        bulk.put(field, text.substring(from, Math.toIntExact(parser.currentLocation().getCharOffset())));
      } else {
        model.put(field, StrictJson.readTree(parser, where));
      }
    }
  }

  private void scanVocabulary(JsonParser parser) {
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String token = parser.currentName();
      require(parser.nextToken() == JsonToken.VALUE_NUMBER_INT, "integer token ids");
      note(token, parser.getIntValue());
    }
  }

  /** Unigram models list their pieces, with a score each; a piece's place is its id. */
  private void scanPieces(JsonParser parser) {
    int id = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      JsonNode piece = StrictJson.readTree(parser, where);
      JsonNode token = piece.isArray() ? piece.path(0) : piece;
      JsonNode score = piece.path(1);
      require(token.isString() && !token.stringValue().isEmpty(), "a list of pieces");
      require(!piece.isArray() || score.isNumber() && Double.isFinite(score.doubleValue()), "pieces with their scores");
      note(token.stringValue(), id++);
    }
  }

  private void note(String token, int id) {
    requireId(id);
    ids.put(token, id);
    maxId = Math.max(maxId, id);
  }

  private void requireId(int id) {
    require(id >= 0 && id < MAX_ID, "token ids of 0 … " + (MAX_ID - 1) + ", not " + id);
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
