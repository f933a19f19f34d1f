package dev.lethe.tokenizer;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.tokenizer.PartFields.Rule;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * What the parts of a {@code tokenizer.json} may say, checked before the tokenizers library sees them: it ends the
 * process, or does not come back, for some of what it reads. Known components with known fields, patterns that need no
 * backtracking, tables that lead nowhere else, special tokens that are declared, and replacements that do not let a text
 * grow.
 */
final class TokenizerParts {
  private static final int MAX_DEPTH = 8;
  private static final int MAX_COMPONENTS = 500;
  private static final int MAX_TEXT = 256;

  /** By how much all replacements together may lengthen a text. */
  private static final long MAX_GROWTH = 16;

  private final String where;
  private final int tokens;
  private int components;
  private long growth = 1;

  /**
   * @param tokens one more than the highest token id
   */
  TokenizerParts(String where, int tokens) {
    this.where = where;
    this.tokens = tokens;
  }

  /**
   * Checks one part.
   *
   * @param kind as {@code normalizer}
   * @param node null or null in JSON where there is none
   */
  void check(String kind, JsonNode node) {
    if (node != null && !node.isNull()) {
      growth = 1;
      component(kind, kind, node, 0);
    }
  }

  /**
   * Checks the model but for its vocabulary and merges.
   *
   * @param fields by name
   */
  void checkModel(Map<String, JsonNode> fields) {
    String type = fields.containsKey("type") ? fields.get("type").asString("") : "BPE";
    Map<String, Object> rules = PartFields.MODELS.get(type);
    if (rules == null) {
      throw refused("model", "it is not known", PartFields.MODELS.keySet().stream().sorted().toList().toString(),
          Text.quote(type));
    }
    fields.forEach((name, value) -> {
      Object rule = rules.get(name);
      if (!name.equals("type") && rule == null) {
        throw refused("model." + type, "a field is not known", rules.keySet().stream().sorted().toList().toString(),
            Text.quote(name));
      }
      if (!name.equals("type") && !value.isNull()) {
        value("model", "model." + type + "." + name, rule, value, 0);
      }
    });
  }

  private void component(String kind, String place, JsonNode node, int depth) {
    String type = node.path("type").asString("");
    Map<String, Object> fields = PartFields.COMPONENTS.get(kind).get(type);
    if (fields == null) {
      throw refused(
          place, "a component is not known", Text.format("one of %s",
              PartFields.COMPONENTS.get(kind).keySet().stream().sorted().toList()),
          type.isEmpty() ? StrictJson.describe(node) : Text.quote(type));
    }
    if (depth > MAX_DEPTH || ++components > MAX_COMPONENTS) {
      throw refused(place, "there are too many components", "at most " + MAX_COMPONENTS + ", " + MAX_DEPTH + " deep",
          "more");
    }
    for (String name : node.propertyNames()) {
      if (!name.equals("type")) {
        Object rule = fields.get(name);
        if (rule == null) {
          throw refused(place + "." + type, "a field is not known",
              fields.keySet().stream().sorted().toList().toString(),
              Text.quote(name));
        }
        value(kind, place + "." + type + "." + name, rule, node.get(name), depth);
      }
    }
    if (type.equals("TemplateProcessing")) {
      template(place + "." + type, node);
    }
    grow(place + "." + type, type, node);
  }

  private void value(String kind, String place, Object rule, JsonNode value, int depth) {
    boolean right =
        switch (rule) {
          case Set<?> choices -> value.isString() && choices.contains(value.stringValue());
          case Rule.FLAG -> value.isBoolean();
          case Rule.FLAG_OR_NULL -> value.isBoolean() || value.isNull();
          case Rule.TEXT -> value.isString() && value.stringValue().length() <= MAX_TEXT;
          case Rule.SOME_TEXT ->
              value.isString() && !value.stringValue().isEmpty() && value.stringValue().length() <= MAX_TEXT;
          case Rule.CHARACTER -> value.isString() && value.stringValue().codePoints().count() == 1;
          case Rule.COUNT -> value.isIntegralNumber() && value.canConvertToInt() && value.intValue() >= 0;
          case Rule.LENGTH -> value.isIntegralNumber() && value.canConvertToInt() && value.intValue() >= 1;
          case Rule.TOKEN -> value.isArray() && value.size() == 2 && value.get(0).isString() && isToken(value.get(1));
          case Rule.PIECES, Rule.LIST -> value.isArray();
          case Rule.SPECIAL -> value.isObject();
          case Rule.NOTHING -> value.isNumber() && value.doubleValue() == 0;
          case Rule.EMPTY -> value.isString() && value.stringValue().isEmpty();
          case Rule.ID -> isToken(value);
          case Rule.PATTERN -> pattern(place, value);
          default -> table(place, value);
        };
    if (!right) {
      throw refused(place, "the field cannot be used", words(rule), StrictJson.describe(value));
    }
    if (rule.equals(Rule.LIST)) {
      for (int i = 0; i < value.size(); i++) {
        component(kind, place + "[" + i + "]", value.get(i), depth + 1);
      }
    }
  }

  private static String words(Object rule) {
    return rule instanceof Set<?> choices ? "one of " + choices.stream().sorted().toList() : ((Rule) rule).words();
  }

  private boolean isToken(JsonNode id) {
    return id.isIntegralNumber() && id.canConvertToInt() && id.intValue() >= 0 && id.intValue() < tokens;
  }

  private boolean pattern(String place, JsonNode pattern) {
    if (!pattern.isObject() || pattern.size() != 1) {
      return false;
    }
    JsonNode text = pattern.path("String");
    if (text.isString()) {
      return !text.stringValue().isEmpty() && text.stringValue().length() <= MAX_TEXT;
    }
    JsonNode regex = pattern.path("Regex");
    if (regex.isString() && !LinearPattern.accepts(regex.stringValue())) {
      throw refused(
          place, "the pattern may take time without end",
          "a pattern of a published tokenizer, or alternatives of characters and classes of which the last repeats",
          Text.quote(regex.stringValue()));
    }
    return regex.isString();
  }

  private boolean table(String place, JsonNode table) {
    if (!table.isString()) {
      return false;
    }
    String problem = Charsmap.problem(table.stringValue());
    if (problem != null) {
      throw refused(place, problem, "the table that SentencePiece made",
          "a table of " + table.stringValue().length() + " characters");
    }
    return true;
  }

  /** All special tokens of a template are declared, with ids that there are. */
  private void template(String place, JsonNode node) {
    JsonNode declared = node.path("special_tokens");
    for (String name : declared.propertyNames()) {
      JsonNode one = declared.get(name);
      boolean right =
          one.path("id").isString() && one.path("id").stringValue().equals(name)
              && one.path("ids").isArray() && one.path("tokens").isArray()
              && one.path("ids").size() == one.path("tokens").size() && one.path("ids").size() <= MAX_TEXT
              && one.path("ids").valueStream().allMatch(this::isToken)
              && one.path("tokens").valueStream().allMatch(JsonNode::isString);
      if (!right) {
        throw refused(
            place + ".special_tokens", "a declaration cannot be used",
            "id, and as many ids below " + tokens + " as tokens", Text.quote(name));
      }
    }
    for (String form : List.of("single", "pair")) {
      int sequences = 0;
      for (JsonNode piece : node.path(form)) {
        JsonNode special = piece.path("SpecialToken");
        JsonNode sequence = piece.path("Sequence");
        JsonNode said = special.isObject() ? special : sequence;
        boolean known =
            special.isObject()
                ? declared.has(special.path("id").asString(""))
                : List.of("A", form.equals("pair") ? "B" : "A").contains(sequence.path("id").asString(""));
        sequences += special.isObject() ? 0 : 1;
        JsonNode type = said.path("type_id");
        if (piece.size() != 1 || !known || !type.isIntegralNumber() || !type.canConvertToInt() || type.intValue() < 0) {
          throw refused(
              place + "." + form, "a piece is neither a sequence nor a declared special token",
              "special tokens among " + Text.quote(String.join(", ", declared.propertyNames())),
                  StrictJson.describe(said.path("id")));
        }
      }
      if (form.equals("single") && sequences != 1 || node.path(form).size() > MAX_TEXT) {
        throw refused(
            place + "." + form, "the text does not stand in it once", "the text once, and some special tokens",
            sequences + " sequences in " + node.path(form).size() + " pieces");
      }
    }
  }

  /** Bounds by how much a text grows. */
  private void grow(String place, String type, JsonNode node) {
    if (!type.equals("Replace")) {
      return;
    }
    long content = node.path("content").asString("").length();
    long least = Math.max(1, node.path("pattern").path("String").asString("").length());
    growth = Math.min(Long.MAX_VALUE / MAX_TEXT, growth * Math.max(1, (content + least - 1) / least));
    if (growth > MAX_GROWTH) {
      throw refused(
          place, "replacements make a text many times as long", "at most " + MAX_GROWTH + " times", growth + " times");
    }
  }

  private FormatException refused(String place, String problem, String expected, String got) {
    return new FormatException(
        Kind.TOKENIZER_FILE, new Place(where + ": " + place).where(), problem, expected, got,
        "Use the tokenizer.json that the model was published with, or data sets of input_ids");
  }
}
