package dev.lethe.data;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A row's fields under their logical names.
 *
 * @param mapping logical name → the name in the file; a mapped field may hold a list, whose first entry counts
 * @param where the row's place, for messages
 * @param notes takes what the reader should know
 */
record RowFields(ObjectNode node, Map<String, String> mapping, String where, RowNotes notes) {
  private static final String READ_AS_FIRST = "of the list in '%s' the first entry is read";

  String actual(String field) {
    return mapping.getOrDefault(field, field);
  }

  /** Whether the row has the field; a column that is mapped to another field is no longer its own. */
  boolean has(String field) {
    boolean taken = mapping.containsValue(field) && !mapping.containsKey(field);
    return !taken && node.hasNonNull(actual(field));
  }

  /** Whether the field says something: an empty string, list or object does not. */
  boolean says(String field) {
    return has(field) && says(node.get(actual(field)));
  }

  static boolean says(JsonNode value) {
    boolean empty =
        value.isNull()
            || value.isMissingNode()
            || value.isString() && value.stringValue().isEmpty()
            || value.isContainer() && value.isEmpty();
    return !empty;
  }

  JsonNode value(String field) {
    return node.get(actual(field));
  }

  List<String> names() {
    return List.copyOf(node.propertyNames());
  }

  String text(String field) {
    JsonNode value = value(field);
    if (mapping.containsKey(field) && value.isArray() && !value.isEmpty()) {
      if (value.size() > 1) {
        notes.read(Text.format(READ_AS_FIRST, actual(field)));
      }
      value = value.get(0);
    }
    if (!value.isString()) {
      throw wrong(field, "a string", StrictJson.shape(value));
    }
    return value.stringValue();
  }

  /** The text of a field that may be absent; empty where it is. */
  String textOrEmpty(String field) {
    return has(field) ? text(field) : "";
  }

  int[] integers(String field) {
    JsonNode array = value(field);
    if (!array.isArray()) {
      throw wrong(field, "a list of integers", StrictJson.shape(array));
    }
    int[] values = new int[array.size()];
    for (int i = 0; i < values.length; i++) {
      JsonNode value = array.get(i);
      if (!value.isIntegralNumber() || !value.canConvertToInt()) {
        throw wrong(field + "[" + i + "]", "a 32-bit integer", StrictJson.shape(value));
      }
      values[i] = value.intValue();
    }
    return values;
  }

  /** Integers of which each belongs to a token. */
  int[] integers(String field, int tokens) {
    int[] values = integers(field);
    if (values.length != tokens) {
      throw wrong(field, tokens + " entries, as input_ids has", values.length + "");
    }
    return values;
  }

  /** Earlier rounds, {@code [[prompt, response], …]}, as messages; none where the field says nothing. */
  List<Row.Message> rounds(String field) {
    List<Row.Message> messages = new ArrayList<>();
    if (!says(field)) {
      return messages;
    }
    if (!value(field).isArray()) {
      throw wrong(field, "a list of [prompt, response]", StrictJson.shape(value(field)));
    }
    for (JsonNode round : value(field)) {
      boolean pair = round.isArray() && round.size() == 2 && round.get(0).isString() && round.get(1).isString();
      if (!pair) {
        throw wrong(field, "a list of [prompt, response], both strings", StrictJson.shape(round));
      }
      messages.add(new Row.Message("user", round.get(0).stringValue()));
      messages.add(new Row.Message(Row.Message.ASSISTANT, round.get(1).stringValue()));
    }
    return messages;
  }

  /** The row's id; the row's number where it has none. */
  String id(long number) {
    if (!has("id")) {
      return Long.toString(number);
    }
    JsonNode value = value("id");
    boolean usable = value.isIntegralNumber() || value.isString() && !value.asString().isBlank();
    if (!usable) {
      throw wrong("id", "a string or an integer", StrictJson.shape(value));
    }
    return value.asString();
  }

  FormatException wrong(String field, String expected, String got) {
    return new FormatException(
        Kind.WRONG_TYPE,
        where,
        "field '" + actual(field) + "' cannot be used",
        expected,
        got,
        "Correct the row");
  }

  /** The complaint about something that would change the mathematics and is not supported. */
  FormatException unsupported(String what, String why, String got) {
    return new FormatException(
        Kind.UNSUPPORTED, where, what + " is not supported: " + why, null, got, "Correct or remove the row");
  }
}
