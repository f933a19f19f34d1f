package dev.lethe.data;

import dev.lethe.data.FieldPolicy.Level;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** The forms that a data-set row can have: which fields tell them apart and how each is read. */
enum RowForm {
  TOKENS(List.of("input_ids", "labels"), List.of()) {
    @Override
    Row read(RowFields f, String id) {
      return TokenColumns.read(f, id);
    }
  },
  MESSAGES(List.of("messages"), List.of("system")) {
    @Override
    Row read(RowFields f, String id) {
      return new Row.MessagesRow(id, MessageColumn.read(f, "messages"));
    }
  },
  CONVERSATIONS(List.of("conversations"), List.of("system")) {
    @Override
    Row read(RowFields f, String id) {
      return new Row.MessagesRow(id, MessageColumn.read(f, "conversations"));
    }
  },
  INSTRUCTION(List.of("instruction", "output"), List.of("input", "system", "history")) {
    @Override
    Row read(RowFields f, String id) {
      String instruction = f.text("instruction");
      String input = f.textOrEmpty("input");
      String output = f.text("output");
      String prompt = input.isEmpty() ? instruction : instruction + "\n" + input;
      return inContext(f, new Row.InstructionRow(id, instruction, input, output), prompt, output);
    }
  },
  PROMPT(List.of("prompt", "response"), List.of("system", "history")) {
    @Override
    Row read(RowFields f, String id) {
      Row.PromptRow row = new Row.PromptRow(id, f.text("prompt"), f.text("response"));
      return inContext(f, row, row.prompt(), row.response());
    }
  },
  QUESTION(List.of("question", "answer"), List.of("system", "history")) {
    @Override
    Row read(RowFields f, String id) {
      Row.QuestionRow row = new Row.QuestionRow(id, f.text("question"), f.text("answer"));
      return inContext(f, row, row.question(), row.answer());
    }
  };

  private static final String FORMS = Arrays.toString(values());

  private final List<String> required;
  private final List<String> optional;

  RowForm(List<String> required, List<String> optional) {
    this.required = required;
    this.optional = optional;
  }

  abstract Row read(RowFields fields, String id);

  /** Whether some form has a field of that name. */
  static boolean hasField(String field) {
    return field.equals("id")
        || Arrays.stream(values())
            .anyMatch(form -> form.required.contains(field) || form.optional.contains(field));
  }

  /** The form of a row: the one whose required fields are all there. */
  private static RowForm of(RowFields f) {
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
        f.node().has(f.actual(missing)) ? "null" : "fields " + f.names(),
        "Add the field or map another one to it (--field)");
  }

  /**
   * Reads a row of any form, and accounts for all its fields.
   *
   * @param number the row's place among the rows, from 0
   */
  static Row read(RowFields f, long number) {
    RowForm form = of(f);
    Row row = form.read(f, f.id(number));
    form.accountFor(f);
    return row;
  }

  /** What stands before the prompt makes the row a conversation. */
  private static Row inContext(RowFields f, Row plain, String prompt, String response) {
    String system = f.says("system") ? f.text("system") : "";
    List<Row.Message> messages = f.rounds("history");
    if (system.isEmpty() && messages.isEmpty()) {
      return plain;
    }
    f.notes().read("'system' and 'history' make conversations");
    if (!system.isEmpty()) {
      messages.addFirst(new Row.Message("system", system));
    }
    messages.add(new Row.Message("user", prompt));
    messages.add(new Row.Message(Row.Message.ASSISTANT, response));
    return new Row.MessagesRow(plain.id(), messages);
  }

  /** Every field is used, harmless, named or refused. */
  private void accountFor(RowFields f) {
    Set<String> read = new HashSet<>(f.mapping().values());
    read.addAll(f.mapping().keySet());
    read.addAll(required);
    read.addAll(optional);
    read.add("id");
    for (Map.Entry<String, JsonNode> field : f.node().properties()) {
      String name = field.getKey();
      if (!read.contains(name) && RowFields.says(field.getValue())) {
        account(f, name, field.getValue());
      }
    }
  }

  private void account(RowFields f, String name, JsonNode value) {
    Level own = this == TOKENS ? Level.TOKENS : Level.TEXT;
    switch (FieldPolicy.of(name, Level.ROW, own)) {
      case ROW_WEIGHT -> requireOne(f, name, value);
      case TOOLS, MEDIA, PACKING ->
          throw f.unsupported("field '" + name + "'", "it would change what the model reads", StrictJson.shape(value));
      case ATTENTION_MASK, POSITION_IDS, TOKEN_TYPES, SEGMENTS, LOSS_MASK, DERIVED -> {}
      case null, default -> f.notes().unused(name);
    }
  }

  private static void requireOne(RowFields f, String name, JsonNode value) {
    boolean ones = value.isArray() ? value.valueStream().allMatch(RowForm::isOne) : isOne(value);
    if (!ones) {
      throw f.unsupported("field '" + name + "'", "all rows and tokens count alike", StrictJson.shape(value));
    }
  }

  private static boolean isOne(JsonNode value) {
    return value.isBoolean() ? value.booleanValue() : value.isNumber() && value.numberValue().doubleValue() == 1;
  }
}
