package dev.lethe.data;

import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads data sets: JSON Lines, or one JSON array of objects. Fields that no form has are ignored; a
 * byte-order mark and blank lines are skipped; every complaint names file, line and field.
 */
public final class DatasetReader {
  private static final long MAX_BYTES = 1L << 30;

  private DatasetReader() {}

  /** The rows of a file, in its order. */
  public static List<Row> read(Path file) {
    return read(file, Map.of());
  }

  /**
   * The rows of a file whose fields have other names.
   *
   * @param fieldMapping name of a form's field → its name in the file, as in {@code question →
   *     paraphrased_question}; where the file has a list there, its first entry counts
   */
  public static List<Row> read(Path file, Map<String, String> fieldMapping) {
    return read(file, fieldMapping, false);
  }

  /** As {@link #read}, where every row must have an {@code id} of its own: it names another row. */
  public static List<Row> readNamed(Path file, Map<String, String> fieldMapping) {
    return read(file, fieldMapping, true);
  }

  private static List<Row> read(Path file, Map<String, String> fieldMapping, boolean idsRequired) {
    for (String field : fieldMapping.keySet()) {
      if (!RowForm.hasField(field)) {
        throw new FormatException(
            Kind.ROW_FORM,
            file.toString(),
            "no row form has the mapped field",
            "a field such as 'question'",
            "'" + field + "'",
            "Correct the field mapping");
      }
    }
    String text = StrictJson.readText(file, MAX_BYTES);
    Rows rows = new Rows(file.toString(), fieldMapping, idsRequired);
    if (text.stripLeading().startsWith("[")) {
      readArray(text, rows);
    } else {
      readLines(text, rows);
    }
    if (rows.rows.isEmpty()) {
      throw Place.of(file).refuse(
          Kind.NO_ROWS, "the data set has no rows", "at least one", "none");
    }
    return List.copyOf(rows.rows);
  }

  /** A hash of what a row says, without its id, in hex; equal rows hash alike in every file. */
  public static String sha256(Row row) {
    Sha256 hash = Sha256.start();
    switch (row) {
      case InstructionRow r ->
          hash.add("instruction").add(r.instruction()).add(r.input()).add(r.output());
      case PromptRow r -> hash.add("prompt").add(r.prompt()).add(r.response());
      case QuestionRow r -> hash.add("question").add(r.question()).add(r.answer());
      case MessagesRow r -> {
        hash.add("messages");
        for (Message message : r.messages()) {
          hash.add(message.role()).add(message.content());
        }
      }
      case TokenRow r -> hash.add("tokens").add(r.inputIds()).add(r.labels());
    }
    return hash.hex();
  }

  private static void readLines(String text, Rows rows) {
    int number = 0;
    int start = 0;
    while (start < text.length()) {
      int end = text.indexOf('\n', start);
      end = end < 0 ? text.length() : end;
      number++;
      String line = text.substring(start, end);
      if (!line.isBlank()) {
        try (JsonParser parser = StrictJson.parser(line)) {
          parser.nextToken();
          JsonNode node = StrictJson.readTree(parser, rows.at(number));
          requireEnd(parser, rows.at(number));
          rows.add(node, number);
        } catch (JacksonException e) {
          throw StrictJson.syntax(e, rows.file, number);
        }
      }
      start = end + 1;
    }
  }

  private static void readArray(String text, Rows rows) {
    try (JsonParser parser = StrictJson.parser(text)) {
      parser.nextToken();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        int line = parser.currentTokenLocation().getLineNr();
        rows.add(StrictJson.readTree(parser, rows.at(line)), line);
      }
      requireEnd(parser, rows.at(parser.currentTokenLocation().getLineNr()));
    } catch (JacksonException e) {
      throw StrictJson.syntax(e, rows.file);
    }
  }

  private static void requireEnd(JsonParser parser, String where) {
    if (parser.nextToken() != null) {
      throw new FormatException(
          Kind.JSON_SYNTAX,
          where,
          "something follows the JSON value",
          "one value a line, or one array",
          "more",
          "Put each row on its own line");
    }
  }

  /** Collects rows and their ids. */
  private static final class Rows {
    private final String file;
    private final Map<String, String> mapping;
    private final boolean idsRequired;
    private final List<Row> rows = new ArrayList<>();
    private final Map<String, Integer> lineOfId = new HashMap<>();

    private Rows(String file, Map<String, String> mapping, boolean idsRequired) {
      this.file = file;
      this.mapping = mapping;
      this.idsRequired = idsRequired;
    }

    private String at(int line) {
      return file + ":" + line;
    }

    private void add(JsonNode node, int line) {
      if (!(node instanceof ObjectNode object)) {
        throw new FormatException(
            Kind.WRONG_TYPE,
            at(line),
            "a row must be a JSON object",
            "an object",
            StrictJson.describe(node),
            "Correct the row");
      }
      RowForm.Fields fields = new RowForm.Fields(object, mapping, at(line));
      if (idsRequired && !fields.has("id")) {
        throw new FormatException(
            Kind.MISSING_FIELD,
            at(line),
            "the row does not name its original",
            "'" + fields.actual("id") + "', the id of the row that it replaces",
            "fields " + fields.names(),
            "Give the row its original's id");
      }
      Row row = RowForm.of(fields).read(fields, fields.id(rows.size()));
      Integer before = lineOfId.put(row.id(), line);
      if (before != null) {
        throw new Place(at(line)).refuse(
            Kind.DUPLICATE_ID, "the row's id stands in the file already", "every id once",
            "'" + row.id() + "', also on line " + before);
      }
      rows.add(row);
    }
  }
}
