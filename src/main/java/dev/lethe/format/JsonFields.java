package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Typed reading of a JSON object whose every complaint names the file and the field. An absent
 * field and a null are the same; a value of another type or outside its bounds is an error, never a
 * default.
 *
 * @param node the object
 * @param where the file, for messages
 */
public record JsonFields(ObjectNode node, String where) {

  /** Whether the field is there and not null. */
  public boolean has(String field) {
    return node.hasNonNull(field);
  }

  /** An integer of {@code min … max}, which must be there. */
  public long integer(String field, long min, long max) {
    return integer(field, required(field), min, max);
  }

  /** An integer of {@code min … max}, or the default where the field is absent. */
  public long integerOr(String field, long fallback, long min, long max) {
    return has(field) ? integer(field, node.get(field), min, max) : fallback;
  }

  /** A finite number of {@code min … max}, or the default where the field is absent. */
  public double numberOr(String field, double fallback, double min, double max) {
    return has(field) ? number(field, node.get(field), min, max) : fallback;
  }

  /** Whether the field is true; the default where it is absent. */
  public boolean flagOr(String field, boolean fallback) {
    if (!has(field)) {
      return fallback;
    }
    if (!node.get(field).isBoolean()) {
      throw wrongType(field, node.get(field), "true or false");
    }
    return node.get(field).booleanValue();
  }

  /** A string that must be there. */
  public String text(String field) {
    return string(field, required(field));
  }

  /** A string, or the default where the field is absent. */
  public String stringOr(String field, String fallback) {
    return has(field) ? string(field, node.get(field)) : fallback;
  }

  /** A list of strings, empty where the field is absent. */
  public List<String> strings(String field) {
    List<String> values = new ArrayList<>();
    for (JsonNode value : array(field)) {
      values.add(string(field, value));
    }
    return List.copyOf(values);
  }

  /** An integer or a list of integers, empty where the field is absent. */
  public List<Integer> oneOrMoreIntegers(String field, int min, int max) {
    if (!has(field)) {
      return List.of();
    }
    if (!node.get(field).isArray()) {
      return List.of((int) integer(field, node.get(field), min, max));
    }
    List<Integer> values = new ArrayList<>();
    for (JsonNode value : node.get(field)) {
      values.add((int) integer(field, value, min, max));
    }
    return List.copyOf(values);
  }

  /** A nested object; null where the field is absent. */
  public JsonFields objectOrNull(String field) {
    if (!has(field)) {
      return null;
    }
    if (node.get(field) instanceof ObjectNode object) {
      return new JsonFields(object, where + ": '" + field + "'");
    }
    throw wrongType(field, node.get(field), "an object");
  }

  /** The value of a field that must be there. */
  public JsonNode required(String field) {
    if (has(field)) {
      return node.get(field);
    }
    throw new Place(where).refuse(Kind.MISSING_FIELD, "a field is missing", "'" + field + "'", null);
  }

  /** Refuses a null in fields that have a default only where they are absent. */
  public void requireNotNull(List<String> fields) {
    for (String field : fields) {
      if (node.path(field).isNull()) {
        throw wrongType(field, node.get(field), "a value, or the field absent");
      }
    }
  }

  /** The complaint about a field of the wrong JSON type. */
  public FormatException wrongType(String field, JsonNode got, String expected) {
    return new Place(where).refuse(
        Kind.WRONG_TYPE, "field '" + field + "' is of the wrong type", expected, StrictJson.describe(got));
  }

  /** The complaint about a field whose value Lethe does not support and must not ignore. */
  public FormatException unsupported(String field, String why, String remedy) {
    return new FormatException(
        Kind.UNSUPPORTED,
        where,
        "field '" + field + "' asks for " + why,
        "the field absent or without effect",
        StrictJson.describe(node.path(field)),
        remedy);
  }

  long integer(String field, JsonNode value, long min, long max) {
    if (!value.isIntegralNumber()) {
      throw wrongType(field, value, "an integer");
    }
    if (!value.canConvertToLong() || value.longValue() < min || value.longValue() > max) {
      throw outOfRange(field, value, min + " … " + max);
    }
    return value.longValue();
  }

  public double number(String field, JsonNode value, double min, double max) {
    if (!value.isNumber()) {
      throw wrongType(field, value, "a number");
    }
    double number = value.numberValue().doubleValue();
    if (!(number >= min && number <= max)) {
      throw outOfRange(field, value, min + " … " + max);
    }
    return number;
  }

  public String string(String field, JsonNode value) {
    if (!value.isString()) {
      throw wrongType(field, value, "a string");
    }
    return value.stringValue();
  }

  public FormatException outOfRange(String field, JsonNode value, String expected) {
    return new Place(where).refuse(
        Kind.OUT_OF_RANGE, "field '" + field + "' is out of range", expected, StrictJson.describe(value));
  }

  private Iterable<JsonNode> array(String field) {
    if (!has(field)) {
      return List.of();
    }
    if (!node.get(field).isArray()) {
      throw wrongType(field, node.get(field), "a list");
    }
    return node.get(field);
  }
}
