package dev.lethe.data;

import dev.lethe.LetheException;
import dev.lethe.format.FormatException;
import java.util.ArrayList;
import java.util.List;

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
    if (reasons.size() == 1 || reasons.size() == rows) {
      return first;
    }
    String problem = "%,d of %,d rows cannot be used:%s".formatted(reasons.size(), rows, listed());
    String remedy = "Correct them, or add --skip-bad-rows to go on without them";
    return first instanceof FormatException e
        ? new FormatException(e.kind(), file, problem, null, null, remedy, e)
        : new LetheException(file, problem, null, null, remedy, first);
  }

  /** What was left out, for people. */
  String skipped(int rows) {
    return "%s: %,d of %,d rows cannot be used and are skipped:%s"
        .formatted(file, reasons.size(), rows, listed());
  }

  private String listed() {
    StringBuilder text = new StringBuilder();
    reasons.stream().limit(SHOWN).forEach(e -> text.append("\n  ").append(e.getMessage()));
    if (reasons.size() > SHOWN) {
      text.append("\n  and %,d more".formatted(reasons.size() - SHOWN));
    }
    return text.toString();
  }
}
