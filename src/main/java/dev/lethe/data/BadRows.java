package dev.lethe.data;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.FormatException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Rows of a file that cannot be used, each with its reason, so that all are named at once. */
final class BadRows {
  private static final int SHOWN = 20;

  private final String file;
  private final List<LetheException> reasons = new ArrayList<>();
  private final List<Integer> lines = new ArrayList<>();

  BadRows(String file) {
    this.file = file;
  }

  /**
   * One more.
   *
   * @param reason names the row's place
   */
  void add(int line, LetheException reason) {
    lines.add(line);
    reasons.add(reason);
  }

  boolean isEmpty() {
    return reasons.isEmpty();
  }

  /** Where they stand, in the file's order. */
  List<Integer> lines() {
    return List.copyOf(lines);
  }

  /** All in one refusal; a reason that all rows share, or a single one, stands for itself. */
  LetheException refusal(int rows) {
    LetheException first = reasons.getFirst();
    if (reasons.size() == 1 || reasons.size() == rows && isShared()) {
      return first;
    }
    String problem = Text.format("%,d of %,d rows cannot be used", reasons.size(), rows);
    String remedy = "Correct them" + (reasons.size() == rows ? "." : ", or add --skip-bad-rows to go on without them.");
    return first instanceof FormatException e
        ? new FormatException(e.kind(), file, problem, listed(), remedy, e)
        : new LetheException(file, problem, listed(), remedy, first);
  }

  private boolean isShared() {
    return IntStream.range(0, reasons.size()).mapToObj(this::withoutPlace).distinct().count() == 1;
  }

  private String withoutPlace(int i) {
    String message = reasons.get(i).getMessage();
    String place = file + ":" + lines.get(i) + ":";
    return message.startsWith(place) ? message.substring(place.length()) : message;
  }

  /** What was left out, for people. */
  String skipped(int rows) {
    String head =
        Text.format("%s: %,d of %,d rows cannot be used and are skipped:", file, reasons.size(), rows);
    return String.join("\n  ", Stream.concat(Stream.of(head), listed().stream()).toList());
  }

  private List<String> listed() {
    List<String> lines = new ArrayList<>();
    reasons.stream().limit(SHOWN).forEach(e -> lines.add(e.getMessage()));
    if (reasons.size() > SHOWN) {
      lines.add(Text.format("and %,d more", reasons.size() - SHOWN));
    }
    return lines;
  }
}
