package dev.lethe.data;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * Requests as people write them: ids separated by commas, {@code @FILE} with one id a line, or a JSON list in either
 * place. {@code 3-9} is a range of numbers, {@code "a, b"} a quoted id, and in a file {@code #} begins a comment. An id
 * that the data have is that id, however it looks.
 */
public final class RequestFiles {
  private static final long MAX_BYTES = 1L << 28;
  private static final int MOST_OF_RANGES = 1_000_000;
  private static final Pattern RANGE = Pattern.compile("(0|[1-9]\\d{0,8})\\s*-\\s*(0|[1-9]\\d{0,8})");
  private static final Pattern COMMENT = Pattern.compile("\\s#");
  private static final String FORMS = "ID,ID,… or @FILE with one id a line, or a JSON list";

  private final String where;
  private final Set<String> known;
  private int lineNumber;
  private long ofRanges;
  private final List<String> ids = new ArrayList<>();

  private RequestFiles(String where, Set<String> known) {
    this.where = where;
    this.known = known;
  }

  /** Refuses what can be no request, whatever ids the data have; ranges are left to {@link #ids}. */
  public static void check(String spec) {
    read(spec, null);
  }

  /**
   * The ids of an option such as {@code --forget}, in order, repetitions kept for {@link RowRequest#of}
   * to refuse.
   *
   * @param spec {@code ID,ID…} or {@code @FILE}; null or blank for none
   * @param known the ids that the data have, which decide what looks like a range or a comment, and how many rows
   *     ranges may have together; empty where nobody knows them
   */
  public static List<String> ids(String spec, Set<String> known) {
    return read(spec, known);
  }

  private static List<String> read(String spec, Set<String> known) {
    if (spec == null || spec.isBlank()) {
      return List.of();
    }
    boolean file = spec.startsWith("@");
    String text = file ? StrictJson.readText(Path.of(spec.substring(1)), MAX_BYTES) : spec;
    RequestFiles request = new RequestFiles(file ? spec.substring(1) : spec, known);
    if (text.stripLeading().startsWith("[")) {
      request.list(text);
    } else if (file) {
      request.lines(text);
    } else {
      request.commas(text);
    }
    return List.copyOf(request.ids);
  }

  private void list(String text) {
    JsonNode list = StrictJson.parse(text, where);
    for (JsonNode id : list) {
      if (!id.isString() && !id.isIntegralNumber()) {
        throw refusal("the list holds something else than ids", "strings or integers", StrictJson.describe(id));
      }
      ids.add(id.asString());
    }
  }

  private void lines(String text) {
    for (String line : text.split("\n", -1)) {
      lineNumber++;
      String item = line.strip();
      if (item.isEmpty()) {
        continue;
      }
      if (item.startsWith("\"")) {
        int end = quoted(item, 0);
        String rest = item.substring(end).strip();
        if (!rest.isEmpty() && !rest.startsWith("#")) {
          throw refusal("something follows a quoted id", "a comment or the line's end", Text.quote(rest));
        }
      } else {
        line(item);
      }
    }
  }

  private void line(String item) {
    boolean comment = item.startsWith("#");
    if (comment && isKnown(item)) {
      throw refusal("this is a comment, and it is an id that the data have", "one of both", Text.quote(item));
    }
    Matcher trailing = COMMENT.matcher(item);
    boolean whole = isKnown(item) || !trailing.find();
    if (!comment) {
      plain(whole ? item : item.substring(0, trailing.start()).strip());
    }
  }

  private void commas(String text) {
    int at = 0;
    while (at <= text.length()) {
      int start = at;
      while (start < text.length() && Character.isWhitespace(text.charAt(start))) {
        start++;
      }
      boolean quotes = start < text.length() && text.charAt(start) == '"';
      int from = quotes ? quoted(text, start) : start;
      int comma = text.indexOf(',', from);
      int end = comma < 0 ? text.length() : comma;
      String item = text.substring(from, end).strip();
      if (quotes && !item.isEmpty()) {
        throw refusal("something follows a quoted id", "a comma", Text.quote(item));
      }
      if (!quotes && item.isEmpty()) {
        throw refusal("there is nothing between two commas", FORMS, null);
      }
      if (!quotes) {
        plain(item);
      }
      at = end + 1;
    }
  }

  /** Takes the JSON string that begins there and returns where it ends. */
  private int quoted(String text, int start) {
    int end = start + 1;
    while (end < text.length() && text.charAt(end) != '"') {
      end += text.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= text.length()) {
      throw refusal("a quoted id does not end", "a quotation mark", null);
    }
    ids.add(StrictJson.parse(text.substring(start, end + 1), place()).stringValue());
    return end + 1;
  }

  private void plain(String item) {
    Matcher range = RANGE.matcher(item);
    if (known == null || isKnown(item) || !range.matches()) {
      ids.add(item);
      return;
    }
    long first = Long.parseLong(range.group(1));
    long last = Long.parseLong(range.group(2));
    if (last < first) {
      throw refusal("a range runs backwards", "the smaller number first", Text.quote(item));
    }
    long most = known.isEmpty() ? MOST_OF_RANGES : known.size();
    ofRanges += last - first + 1;
    if (ofRanges > most) {
      throw refusal(
          "ranges have more ids than there are rows", Text.format("at most %,d", most), Text.quote(item));
    }
    Stream<String> numbers = LongStream.rangeClosed(first, last).mapToObj(Long::toString);
    numbers.forEach(ids::add);
  }

  private boolean isKnown(String item) {
    return known != null && known.contains(item);
  }

  /** The option's text or the file, and the line where there is one. */
  private String place() {
    return lineNumber == 0 ? where : where + ":" + lineNumber;
  }

  private LetheException refusal(String problem, String expected, String got) {
    return new LetheException(
        place(), problem, expected, got, "Correct the list; put an id that is misread between quotation marks.");
  }
}
