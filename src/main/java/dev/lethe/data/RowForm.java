package dev.lethe.data;

import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The forms that a data-set row can have: which fields tell them apart and how each is read. */
enum RowForm {
  TOKENS(List.of("input_ids", "labels"), List.of()) {
    @Override
    Row read(Fields f, String id) {
      int[] ids = f.integers("input_ids");
      int[] labels = f.integers("labels");
      if (ids.length != labels.length) {
        throw f.wrong("labels", ids.length + " entries, as input_ids has", labels.length + "");
      }
      return new Row.TokenRow(id, ids, labels);
    }
  },
  MESSAGES(List.of("messages"), List.of()) {
    @Override
    Row read(Fields f, String id) {
      return new Row.MessagesRow(id, f.messages("messages"));
    }
  },
  INSTRUCTION(List.of("instruction", "output"), List.of("input")) {
    @Override
    Row read(Fields f, String id) {
      String input = f.has("input") ? f.text("input") : "";
      return new Row.InstructionRow(id, f.text("instruction"), input, f.text("output"));
    }
  },
  PROMPT(List.of("prompt", "response"), List.of()) {
    @Override
    Row read(Fields f, String id) {
      return new Row.PromptRow(id, f.text("prompt"), f.text("response"));
    }
  },
  QUESTION(List.of("question", "answer"), List.of()) {
    @Override
    Row read(Fields f, String id) {
      return new Row.QuestionRow(id, f.text("question"), f.text("answer"));
    }
  };

  private static final Set<String> ROLES = Set.of("system", "user", "assistant");
  private static final String FORMS = Arrays.toString(values());

  private final List<String> required;
  private final List<String> optional;

  RowForm(List<String> required, List<String> optional) {
    this.required = required;
    this.optional = optional;
  }

  abstract Row read(Fields fields, String id);

  /** Whether some form has a field of that name. */
  static boolean hasField(String field) {
    return field.equals("id")
        || Arrays.stream(values())
            .anyMatch(form -> form.required.contains(field) || form.optional.contains(field));
  }

  /** The form of a row: the one whose required fields are all there. */
  static RowForm of(Fields f) {
    List<RowForm> whole =
        Arrays.stream(values()).filter(form -> form.required.stream().allMatch(f::has)).toList();
    if (whole.size() == 1) {
      return whole.getFirst();
    }
    if (whole.size() > 1) {
      throw new FormatException(
          Kind.ROW_FORM,
          f.where(),
          "the row has more than one form",
          "one of " + FORMS,
          whole.toString(),
          "Remove the fields of the form that is not meant");
    }
    RowForm nearest =
        Arrays.stream(values())
            .max(Comparator.comparingLong(form -> form.required.stream().filter(f::has).count()))
            .orElseThrow();
    String missing = nearest.required.stream().filter(n -> !f.has(n)).findFirst().orElseThrow();
    if (nearest.required.stream().noneMatch(f::has)) {
      throw new Place(f.where()).refuse(
          Kind.ROW_FORM, "the row has no known form", "the fields of one of " + FORMS, "fields " + f.names());
    }
    throw new FormatException(
        Kind.MISSING_FIELD,
        f.where(),
        "a field is missing",
        "'" + f.actual(missing) + "'",
        "fields " + f.names(),
        "Add the field or map another one to it");
  }

  /**
   * A row's fields under their logical names.
   *
   * @param mapping logical name → the name in the file; a mapped field may hold a list, whose first
   *     entry counts
   */
  record Fields(ObjectNode node, Map<String, String> mapping, String where) {

    String actual(String field) {
      return mapping.getOrDefault(field, field);
    }

    boolean has(String field) {
      return node.hasNonNull(actual(field));
    }

    List<String> names() {
      return List.copyOf(node.propertyNames());
    }

    String text(String field) {
      JsonNode value = node.get(actual(field));
      if (mapping.containsKey(field) && value.isArray() && !value.isEmpty()) {
        value = value.get(0);
      }
      if (!value.isString()) {
        throw wrong(field, "a string", StrictJson.describe(value));
      }
      return value.stringValue();
    }

    int[] integers(String field) {
      JsonNode array = node.get(actual(field));
      if (!array.isArray()) {
        throw wrong(field, "a list of integers", StrictJson.describe(array));
      }
      int[] values = new int[array.size()];
      for (int i = 0; i < values.length; i++) {
        JsonNode value = array.get(i);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
          throw wrong(field, "32-bit integers", StrictJson.describe(value));
        }
        values[i] = value.intValue();
      }
      return values;
    }

    List<Row.Message> messages(String field) {
      JsonNode array = node.get(actual(field));
      if (!array.isArray() || array.isEmpty()) {
        throw wrong(field, "a list of messages", StrictJson.describe(array));
      }
      List<Row.Message> messages = new ArrayList<>();
      for (JsonNode message : array) {
        String role = message.path("role").stringValue(null);
        String content = message.path("content").stringValue(null);
        if (role == null || content == null || !ROLES.contains(role)) {
          throw wrong(
              field,
              "objects of 'role' (system, user or assistant) and 'content', both strings",
              "message " + messages.size());
        }
        messages.add(new Row.Message(role, content));
      }
      return messages;
    }

    /** The row's id; the row's number where it has none. */
    String id(long number) {
      if (!has("id")) {
        return Long.toString(number);
      }
      JsonNode value = node.get(actual("id"));
      boolean usable = value.isIntegralNumber() || value.isString() && !value.asString().isBlank();
      if (!usable) {
        throw wrong("id", "a string or an integer", StrictJson.describe(value));
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
  }
}
