package dev.lethe.data;

import dev.lethe.data.FieldPolicy.Level;
import dev.lethe.data.Row.Message;
import dev.lethe.format.StrictJson;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Reads a list of messages, in OpenAI's words ({@code role}, {@code content}) or in ShareGPT's ({@code from}, {@code
 * value}).
 */
final class MessageColumn {
  private static final Map<String, String> ROLES =
      Map.of(
          "system", "system",
          "user", "user",
          "human", "user",
          "assistant", Message.ASSISTANT,
          "gpt", Message.ASSISTANT);
  private static final String ROLE_AND_CONTENT =
      "objects of 'role' (system, user or assistant) and 'content', or of 'from' and 'value'";

  private final RowFields fields;
  private final String column;
  private final List<Message> messages = new ArrayList<>();
  private final Set<String> unused = new HashSet<>();

  private MessageColumn(RowFields fields, String column) {
    this.fields = fields;
    this.column = column;
  }

  /** The messages of a column, with the row's {@code system} before them. */
  static List<Message> read(RowFields fields, String column) {
    MessageColumn reader = new MessageColumn(fields, column);
    JsonNode array = fields.value(column);
    if (!array.isArray() || array.isEmpty()) {
      throw fields.wrong(column, "a list of messages", StrictJson.shape(array));
    }
    array.forEach(reader::add);
    reader.unused.forEach(name -> fields.notes().unused(column + "[]." + name));
    return reader.withSystem();
  }

  private List<Message> withSystem() {
    String system = fields.textOrEmpty("system");
    if (system.isEmpty()) {
      return messages;
    }
    Message first = messages.getFirst();
    if (!first.role().equals("system")) {
      messages.addFirst(new Message("system", system));
    } else if (!first.content().equals(system)) {
      throw fields.wrong("system", "the first message's text, which is a system message too", "another text");
    }
    return messages;
  }

  private void add(JsonNode message) {
    String role = ROLES.get(word(message, FieldPolicy.ROLE));
    JsonNode content = one(message, FieldPolicy.CONTENT);
    refuseCalls(message);
    refuseMasks(message);
    if (role == null || content == null) {
      throw fields.wrong(column, ROLE_AND_CONTENT, at() + got(message));
    }
    messages.add(new Message(role, text(content), supervised(message, role)));
    message.propertyNames().stream()
        .filter(name -> FieldPolicy.of(name, Level.MESSAGE) == null && RowFields.says(message.get(name)))
        .forEach(unused::add);
  }

  private String at() {
    return "message " + messages.size();
  }

  private static String got(JsonNode message) {
    JsonNode role = message.path("role").isMissingNode() ? message.path("from") : message.path("role");
    return role.isString() ? " of role " + StrictJson.describe(role) : "";
  }

  private String word(JsonNode message, FieldPolicy policy) {
    JsonNode value = one(message, policy);
    return value == null ? "" : value.stringValue("");
  }

  /** The value under one of several spellings; null where there is none. */
  private JsonNode one(JsonNode message, FieldPolicy policy) {
    JsonNode found = null;
    for (String name : policy.names()) {
      JsonNode value = message.path(name);
      if (value.isMissingNode() || value.isNull()) {
        continue;
      }
      if (found != null && !found.equals(value)) {
        throw fields.wrong(column, "one of " + policy.names(), at() + " with both, which differ");
      }
      found = value;
    }
    return found;
  }

  private void refuseCalls(JsonNode message) {
    for (String name : FieldPolicy.CALLS.names()) {
      JsonNode value = message.path(name);
      if (RowFields.says(value)) {
        throw fields.unsupported(
            "'" + name + "' of " + at() + " in '" + fields.actual(column) + "'",
            "it is part of what the model says or reads, and is not rendered",
            StrictJson.shape(value));
      }
    }
  }

  private void refuseMasks(JsonNode message) {
    for (String name : FieldPolicy.MASKING.names()) {
      JsonNode value = message.path(name);
      boolean none = value.isBoolean() && !value.booleanValue() || value.isNumber() && value.doubleValue() == 0;
      if (!none && RowFields.says(value)) {
        throw fields.unsupported(
            "'" + name + "' of " + at() + " in '" + fields.actual(column) + "'",
            "turns are marked by 'weight' or 'train', which are 0 or false where a turn is not learned",
            StrictJson.shape(value));
      }
    }
  }

  private String text(JsonNode content) {
    if (content.isString()) {
      return content.stringValue();
    }
    if (!content.isArray()) {
      throw fields.wrong(column, ROLE_AND_CONTENT, at() + ", whose content is " + StrictJson.shape(content));
    }
    StringBuilder text = new StringBuilder();
    for (JsonNode part : content) {
      if (!"text".equals(part.path("type").stringValue(null)) || !part.path("text").isString()) {
        throw fields.unsupported(
            "a part of " + at() + " in '" + fields.actual(column) + "'",
            "only parts of type text are",
            part.path("type").isString() ? StrictJson.describe(part.path("type")) : StrictJson.shape(part));
      }
      accountForPart(part);
      text.append(part.path("text").stringValue());
    }
    return text.toString();
  }

  private void accountForPart(JsonNode part) {
    for (String name : part.propertyNames()) {
      if (name.equals("type") || name.equals("text") || !RowFields.says(part.get(name))) {
        continue;
      }
      FieldPolicy policy = FieldPolicy.of(name, Level.MESSAGE);
      if (policy == FieldPolicy.SUPERVISION || policy == FieldPolicy.MASKING) {
        throw fields.unsupported(
            "'" + name + "' of a part of " + at() + " in '" + fields.actual(column) + "'",
            "a turn is learned as a whole or not",
            StrictJson.shape(part.get(name)));
      }
      unused.add("content[]." + name);
    }
  }

  private boolean supervised(JsonNode message, String role) {
    boolean assistant = role.equals(Message.ASSISTANT);
    Boolean marked = null;
    for (String name : FieldPolicy.SUPERVISION.names()) {
      JsonNode value = message.path(name);
      if (value.isMissingNode() || value.isNull()) {
        continue;
      }
      boolean flag = flag(name, value);
      if (marked != null && marked != flag) {
        throw fields.wrong(column, "marks of " + at() + " that agree", "'" + name + "', which does not");
      }
      marked = flag;
    }
    if (marked == null) {
      return assistant;
    }
    if (marked && !assistant) {
      throw fields.unsupported(
          "supervising " + at() + " in '" + fields.actual(column) + "'",
          "only turns of the assistant can be",
          "a turn of " + role);
    }
    return marked;
  }

  private boolean flag(String name, JsonNode value) {
    if (value.isBoolean()) {
      return value.booleanValue();
    }
    double number = value.isNumber() ? value.numberValue().doubleValue() : Double.NaN;
    if (number != 0 && number != 1) {
      throw fields.unsupported(
          "'" + name + "' of " + at() + " in '" + fields.actual(column) + "'",
          "a turn is supervised (1, true) or is not (0, false)",
          StrictJson.shape(value));
    }
    return number == 1;
  }
}
