package dev.lethe.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a reader of a data set should know about its rows: each thing once, with the count of rows. */
final class RowNotes {
  private static final int SHOWN = 12;
  private static final int LONGEST_NAME = 60;

  private final Map<String, Integer> unused = new LinkedHashMap<>();
  private final Map<String, Integer> read = new LinkedHashMap<>();

  /** A field of one more row plays no part. */
  void unused(String field) {
    unused.merge(field, 1, Integer::sum);
  }

  /**
   * One more row is read in a way that is not plain from the file.
   *
   * @param how a clause
   */
  void read(String how) {
    read.merge(how, 1, Integer::sum);
  }

  /** A sentence for each. */
  List<String> lines(String file) {
    List<String> lines = new ArrayList<>();
    if (!unused.isEmpty()) {
      String fields =
          String.join(
              ", ",
              unused.entrySet().stream()
                  .limit(SHOWN)
                  .map(e -> shown(e.getKey()) + " (" + rows(e.getValue()) + ")")
                  .toList());
      String more = unused.size() > SHOWN ? " and %d more".formatted(unused.size() - SHOWN) : "";
      lines.add(file + ": fields that are not used: " + fields + more);
    }
    read.forEach((how, count) -> lines.add(file + ": " + how + " (" + rows(count) + ")"));
    return lines;
  }

  private static String rows(int count) {
    return count == 1 ? "1 row" : "%,d rows".formatted(count);
  }

  private static String shown(String name) {
    StringBuilder text = new StringBuilder("'");
    name.codePoints()
        .limit(LONGEST_NAME)
        .forEach(c -> text.appendCodePoint(Character.isISOControl(c) ? '\uFFFD' : c));
    return text.append(name.codePointCount(0, name.length()) > LONGEST_NAME ? "…'" : "'").toString();
  }
}
