package dev.lethe.tokenizer;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The added tokens of a tokenizer from all the places that declare them, merged as transformers 5.17 does: {@code
 * tokenizer.json}; {@code tokenizer_config.json}, whose {@code added_tokens_decoder} makes the older files count for
 * nothing; {@code special_tokens_map.json} and {@code added_tokens.json}. Places that give one token two ids are
 * refused.
 */
final class DeclaredTokens {
  static final String CONFIG = "tokenizer_config.json";
  private static final String MAP = "special_tokens_map.json";
  private static final String ADDED = "added_tokens.json";
  private static final long MAX_BYTES = 16 << 20;
  private static final List<String> STANDARD =
      List.of(
          "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");

  private final Path folder;
  private final TokenizerJson main;
  private final ObjectNode config;
  private final Map<String, AddedToken> named = new LinkedHashMap<>();
  private final List<AddedToken> extra = new ArrayList<>();
  private final TreeMap<Integer, AddedToken> byId = new TreeMap<>();
  private final Map<Integer, AddedToken> result = new LinkedHashMap<>();
  private final Map<String, Integer> resultIds = new HashMap<>();
  private final List<String> notes = new ArrayList<>();

  private DeclaredTokens(Path folder, TokenizerJson main, ObjectNode config) {
    this.folder = folder;
    this.main = main;
    this.config = config;
  }

  static DeclaredTokens of(
      Path folder, TokenizerJson main, ObjectNode config, TokenizerClass tokenizerClass) {
    DeclaredTokens tokens = new DeclaredTokens(folder, main, config);
    tokenizerClass.usualTokens().forEach(
        (name, content) -> {
          if (!config.has(name)) {
            tokens.named.put(name, AddedToken.special(content));
          }
        });
    tokens.readConfig();
    if (config.has("added_tokens_decoder")) {
      tokens.readDecoder();
      tokens.nameOtherMap();
    } else {
      tokens.readMap();
      tokens.readAdded();
      tokens.byId.putAll(main.added());
    }
    tokens.merge(tokenizerClass);
    return tokens;
  }

  /** As they stand in a {@code tokenizer.json}. */
  ArrayNode json() {
    ArrayNode list = JsonNodeFactory.instance.arrayNode();
    new TreeMap<>(result).forEach((id, token) -> list.add(token.json(id)));
    return list;
  }

  /** The named special tokens, such as {@code eos_token}, and their texts. */
  Map<String, String> named() {
    return named.entrySet().stream()
        .collect(
            Collectors.toMap(
                Map.Entry::getKey, e -> e.getValue().content(), (a, b) -> b, LinkedHashMap::new));
  }

  /** The id of a named token; −1 where there is none of that name. Refused where it is no token of the file. */
  int id(String name) {
    AddedToken token = named.get(name);
    if (token == null) {
      return -1;
    }
    Integer id = resultIds.get(token.content());
    if (id == null || id > main.maxId()) {
      throw new FormatException(
          Kind.TOKENIZER_FILE,
          folder.resolve(CONFIG).toString(),
          name + " is no token of " + TokenizerJson.NAME,
          "one of its tokens",
          "'" + token.content() + "'",
          "Fetch both files again; they do not belong together");
    }
    return id;
  }

  /** The highest id of an added token; −1 where there is none. */
  int maxId() {
    return result.keySet().stream().mapToInt(Integer::intValue).max().orElse(-1);
  }

  /** The ids of special tokens. */
  Set<Integer> specialIds() {
    return result.entrySet().stream()
        .filter(e -> e.getValue().special())
        .map(Map.Entry::getKey)
        .collect(Collectors.toUnmodifiableSet());
  }

  /** What a user should know of the places' differences. */
  List<String> notes() {
    return notes;
  }

  private void readConfig() {
    String where = folder.resolve(CONFIG).toString();
    JsonNode additional = config.path("additional_special_tokens");
    JsonNode extras = config.path("extra_special_tokens");
    if (!additional.isMissingNode() && !extras.isMissingNode() && !additional.equals(extras)) {
      throw new Place(where).refuse(
          Kind.TOKENIZER_FILE, "two spellings of one setting disagree",
          "additional_special_tokens or extra_special_tokens", "both, with different values");
    }
    config.properties().forEach(
        field -> {
          String name = field.getKey();
          JsonNode value = field.getValue();
          if (name.endsWith("_token") && (value.isString() || value.isObject())) {
            named.put(name, AddedToken.of(value, true, where + ": " + name));
          } else if (STANDARD.contains(name) && !value.isNull()) {
            throw new Place(where).refuse(
                Kind.TOKENIZER_FILE, name + " is no token", "a text or an object", StrictJson.describe(value));
          }
        });
    readExtra(extras.isMissingNode() ? additional : extras, where);
  }

  private void readExtra(JsonNode declared, String where) {
    if (declared.isObject()) {
      declared.properties().forEach(
          e -> named.put(e.getKey(), AddedToken.of(e.getValue(), true, where + ": " + e.getKey())));
    } else if (declared.isArray()) {
      for (JsonNode token : declared) {
        extra.add(AddedToken.of(token, true, where + ": special tokens"));
      }
    } else if (!declared.isMissingNode() && !declared.isNull()) {
      throw new Place(where).refuse(
          Kind.TOKENIZER_FILE, "special tokens cannot be read", "a list or an object",
          StrictJson.describe(declared));
    }
  }

  private void readDecoder() {
    String where = folder.resolve(CONFIG) + ": added_tokens_decoder";
    for (var entry : config.path("added_tokens_decoder").properties()) {
      put(parseId(entry.getKey(), where), AddedToken.of(entry.getValue(), false, where), where);
    }
  }

  private static int parseId(String text, String where) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new Place(where).refuse(
          Kind.TOKENIZER_FILE, "a key is no token id", "an integer", "'" + text + "'", e);
    }
  }

  private void put(int id, AddedToken token, String where) {
    AddedToken before = byId.put(id, token);
    if (before != null && !before.content().equals(token.content())) {
      throw new Place(where).refuse(
          Kind.TOKENIZER_FILE, "token id " + id + " has two tokens", "'" + before.content() + "'",
          "'" + token.content() + "'");
    }
  }

  private ObjectNode file(String name) {
    Path file = folder.resolve(name);
    return Files.exists(file) ? StrictJson.readObject(file, MAX_BYTES) : StrictJson.newObject();
  }

  private void readMap() {
    String where = folder.resolve(MAP).toString();
    for (var entry : file(MAP).properties()) {
      String name = entry.getKey();
      if (name.equals("additional_special_tokens") || name.equals("extra_special_tokens")) {
        readExtra(entry.getValue(), where);
      } else if (!entry.getValue().isNull()) {
        AddedToken token = AddedToken.of(entry.getValue(), true, where + ": " + name);
        named.put(name, token.asSpecial());
      }
    }
  }

  /** Says which named tokens the older file has otherwise. */
  private void nameOtherMap() {
    ObjectNode map = file(MAP);
    for (String name : STANDARD) {
      JsonNode other = map.path(name);
      String content = other.isObject() ? other.path("content").asString("") : other.asString("");
      AddedToken mine = named.get(name);
      if (!content.isEmpty() && (mine == null || !mine.content().equals(content))) {
        notes.add(
            Text.format("%s: %s is '%s' here and %s in %s, which counts", folder.resolve(MAP), name, content,
                    mine == null ? "absent" : "'" + mine.content() + "'", CONFIG));
      }
    }
  }

  private void readAdded() {
    String where = folder.resolve(ADDED).toString();
    for (var entry : file(ADDED).properties()) {
      if (!entry.getValue().isIntegralNumber() || !entry.getValue().canConvertToInt()) {
        throw new Place(where).refuse(
            Kind.TOKENIZER_FILE, "a token has no id", "an integer",
            StrictJson.describe(entry.getValue()));
      }
      String content = entry.getKey();
      boolean special =
          Stream.concat(named.values().stream(), extra.stream())
              .anyMatch(t -> t.content().equals(content));
      put(
          entry.getValue().intValue(),
          new AddedToken(content, false, false, false, !special, special),
          where);
    }
  }

  /** What transformers' constructor of a tokenizer does with the declarations. */
  private void merge(TokenizerClass tokenizerClass) {
    Map<String, AddedToken> known = new HashMap<>();
    byId.values().forEach(token -> known.put(token.content(), token));
    named.replaceAll((name, t) -> STANDARD.contains(name) ? known.getOrDefault(t.content(), t) : t);
    if (!tokenizerClass.isBuiltAnew()) {
      main.added().forEach((id, token) -> add(token, id));
    }
    byId.forEach((id, token) -> add(asNamed(token), id));
    Stream.concat(named.values().stream(), extra.stream())
        .filter(token -> !resultIds.containsKey(token.content()))
        .toList()
        .forEach(token -> add(token.asSpecial(), -1));
    if (tokenizerClass == TokenizerClass.QWEN2) {
      Stream.concat(named.values().stream(), extra.stream())
          .map(token -> AddedToken.special(token.content()))
          .toList()
          .forEach(token -> add(token, -1));
    }
  }

  private AddedToken asNamed(AddedToken token) {
    boolean isNamed = named.values().stream().anyMatch(t -> t.content().equals(token.content()));
    return isNamed ? token.asSpecial() : token;
  }

  /** Adds a token as the tokenizers library does: it keeps its id, or gets the next one. */
  private void add(AddedToken token, int declaredId) {
    if (token.content().isEmpty()) {
      return;
    }
    Integer id = main.id(token.content());
    if (id == null) {
      id = resultIds.get(token.content());
    }
    if (id == null) {
      int highest = maxId();
      id = highest >= main.size() ? highest + 1 : main.size();
    }
    if (declaredId >= 0 && declaredId != id) {
      throw new Place(main.where()).refuse(
          Kind.TOKENIZER_FILE,
          Text.format("token '%s' is declared with an id that it does not get", token.content()),
          "id " + id, "id " + declaredId);
    }
    result.put(id, token);
    resultIds.put(token.content(), id);
  }
}
