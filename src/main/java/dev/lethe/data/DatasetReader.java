package dev.lethe.data;

import dev.lethe.Text;
import dev.lethe.LetheException;
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
import java.nio.ByteBuffer;
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
 * Reads data sets: JSON Lines, or one JSON array of objects. {@link FieldPolicy} says what becomes of fields that no form
 * has; a byte-order mark and blank lines are skipped; every complaint names file, line and field, and all rows that
 * cannot be used are named at once.
 */
public final class DatasetReader {
  private static final String ONE_A_LINE = "Write one JSON object a line, or all of them as one JSON array";

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
    return open(file, fieldMapping, false, false).rows();
  }

  /** As {@link #read}, where every row must have an {@code id} of its own: it names another row. */
  public static List<Row> readNamed(Path file, Map<String, String> fieldMapping) {
    return open(file, fieldMapping, true, false).rows();
  }

  /**
   * A data set with all that there is to say about it.
   *
   * @param file a file, a named pipe, or {@code -} for standard input
   * @param idsRequired whether every row must have an id of its own
   * @param skipBadRows whether rows that cannot be used are left out
   */
  public static Dataset open(
      Path file, Map<String, String> fieldMapping, boolean idsRequired, boolean skipBadRows) {
    requireFields(fieldMapping, file.toString());
    byte[] bytes = DataBytes.read(file);
    Rows rows = new Rows(DataBytes.name(file), fieldMapping, idsRequired);
    if (isArray(bytes)) {
      readArray(StrictJson.decode(ByteBuffer.wrap(bytes), rows.file), rows);
    } else {
      readLines(bytes, rows);
    }
    return rows.dataset(skipBadRows);
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
          boolean usual = message.supervised() == message.isAssistant();
          hash.add(usual ? message.role() : message.role() + ", not supervised").add(message.content());
        }
      }
      case TokenRow r -> hash.add("tokens").add(r.inputIds()).add(r.labels());
    }
    return hash.hex();
  }

  /** The mapping; throws where it names a field that no form has. */
  public static Map<String, String> requireFields(Map<String, String> fieldMapping, String where) {
    for (String field : fieldMapping.keySet()) {
      if (!RowForm.hasField(field)) {
        throw new FormatException(
            Kind.ROW_FORM,
            where,
            "no row form has the mapped field",
            "a field such as 'question'",
            Text.quote(field),
            "Correct the field mapping");
      }
    }
    return fieldMapping;
  }

  private static boolean isArray(byte[] bytes) {
    int i = 0;
    while (i < bytes.length && Character.isWhitespace(bytes[i])) {
      i++;
    }
    return i < bytes.length && bytes[i] == '[';
  }

  private static void readLines(byte[] bytes, Rows rows) {
    int number = 0;
    int start = 0;
    while (start < bytes.length) {
      int end = start;
      while (end < bytes.length && bytes[end] != '\n') {
        end++;
      }
      number++;
      readLine(ByteBuffer.wrap(bytes, start, end - start), rows, number);
      start = end + 1;
    }
  }

  private static void readLine(ByteBuffer bytes, Rows rows, int number) {
    try {
      String line = decoded(bytes, rows, number);
      if (line.isBlank()) {
        return;
      }
      rows.count++;
      try (JsonParser parser = StrictJson.parser(line)) {
        parser.nextToken();
        JsonNode node = StrictJson.readTree(parser, rows.at(number));
        requireEnd(parser, rows.at(number));
        rows.add(node, number);
      } catch (JacksonException e) {
        throw StrictJson.syntax(e, rows.file, number, ONE_A_LINE);
      }
    } catch (FormatException e) {
      rows.bad(number, e);
    }
  }

  private static String decoded(ByteBuffer bytes, Rows rows, int number) {
    try {
      return StrictJson.decode(bytes.slice(), rows.at(number));
    } catch (FormatException e) {
      rows.count++;
      throw e;
    }
  }

  private static void readArray(String text, Rows rows) {
    int line = 1;
    try (JsonParser parser = StrictJson.parser(text)) {
      parser.nextToken();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        line = parser.currentTokenLocation().getLineNr();
        JsonNode node = StrictJson.readTree(parser, rows.at(line));
        rows.count++;
        try {
          rows.add(node, line);
        } catch (FormatException e) {
          rows.bad(line, e);
        }
      }
      line = parser.currentTokenLocation().getLineNr();
      requireEnd(parser, rows.at(line));
    } catch (JacksonException e) {
      throw rows.broken(StrictJson.syntax(e, rows.file));
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
          ONE_A_LINE);
    }
  }

  /** Collects rows and their ids. */
  private static final class Rows {
    private final String file;
    private final Map<String, String> mapping;
    private final boolean idsRequired;
    private final List<Row> rows = new ArrayList<>();
    private final List<Integer> lines = new ArrayList<>();
    private final Map<String, Integer> lineOfId = new HashMap<>();
    private final RowNotes notes = new RowNotes();
    private final BadRows bad;
    private int count;
    private boolean idsByPosition;

    private Rows(String file, Map<String, String> mapping, boolean idsRequired) {
      this.file = file;
      this.mapping = mapping;
      this.idsRequired = idsRequired;
      this.bad = new BadRows(file);
    }

    private String at(int line) {
      return file + ":" + line;
    }

    private void bad(int line, FormatException reason) {
      bad.add(line, reason);
    }

    /** The refusal of a file that cannot be read on. */
    private LetheException broken(FormatException reason) {
      bad.add(0, reason);
      return bad.refusal(count + 1);
    }

    private Dataset dataset(boolean skipBadRows) {
      if (count == 0) {
        throw new Place(file).refuse(Kind.NO_ROWS, "the data set has no rows", "at least one", "none");
      }
      if (!bad.isEmpty() && (!skipBadRows || rows.isEmpty())) {
        throw bad.refusal(count);
      }
      List<String> said = notes.lines(file);
      if (!bad.isEmpty()) {
        said.add(bad.skipped(count));
      }
      return new Dataset(file, rows, lines, count, idsByPosition, bad.lines(), said);
    }

    private void add(JsonNode node, int line) {
      if (!(node instanceof ObjectNode object)) {
        throw new FormatException(
            Kind.WRONG_TYPE,
            at(line),
            "a row must be a JSON object",
            "an object",
            StrictJson.shape(node),
            "Correct the row");
      }
      RowFields fields = new RowFields(object, mapping, at(line), notes);
      if (idsRequired && !fields.has("id")) {
        throw new FormatException(
            Kind.MISSING_FIELD,
            at(line),
            "the row does not name its original",
            "'" + fields.actual("id") + "', the id of the row that it replaces",
            "fields " + fields.names(),
            "Give the row its original's id");
      }
      Row row = RowForm.read(fields, count - 1);
      Integer before = lineOfId.put(row.id(), line);
      if (before != null) {
        throw new Place(at(line)).refuse(
            Kind.DUPLICATE_ID, "the row's id stands in the file already", "every id once",
            "'" + row.id() + "', also on line " + before);
      }
      idsByPosition |= !fields.has("id");
      rows.add(row);
      lines.add(line);
    }
  }
}
