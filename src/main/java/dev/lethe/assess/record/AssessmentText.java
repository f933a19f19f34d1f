package dev.lethe.assess.record;

import dev.lethe.Text;
import dev.lethe.assess.metric.Estimate;
import java.util.ArrayList;
import java.util.List;

/** An assessment as plain text: its sentences and its tables. */
public final class AssessmentText {
  private static final int LONGEST_NAME = 36;

  private AssessmentText() {}

  /** The whole record for a terminal. */
  public static String of(AssessmentRecord record) {
    StringBuilder text = new StringBuilder();
    record.headline().forEach(sentence -> text.append(sentence).append('\n'));
    for (Section section : record.sections()) {
      text.append('\n').append(section.title()).append('\n');
      table(text, section);
      section.remarks().forEach(remark -> text.append("  ").append(remark).append('\n'));
    }
    return text.toString();
  }

  /** A number in few digits, with its interval. */
  public static String number(Estimate estimate) {
    if (!estimate.exists()) {
      return "-";
    }
    String value = digits(estimate.value());
    return estimate.hasInterval()
        ? Text.format("%s [%s, %s]", value, digits(estimate.low()), digits(estimate.high()))
        : value;
  }

  /** Three digits that count. */
  public static String digits(double value) {
    double size = Math.abs(value);
    if (size != 0 && size < 1e-3) {
      return Text.format("%.1e", value);
    }
    int decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : size >= 0.01 ? 3 : size == 0 ? 0 : 4;
    return Text.format("%." + decimals + "f", value);
  }

  private static void table(StringBuilder text, Section section) {
    if (section.lines().isEmpty()) {
      return;
    }
    List<List<String>> rows = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of(""));
    head.addAll(section.columns());
    rows.add(head);
    for (Section.Line line : section.lines()) {
      List<String> row = new ArrayList<>(List.of(line.name()));
      line.cells().forEach(cell -> row.add(number(cell)));
      rows.add(row);
    }
    int[] widths = new int[head.size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], Math.min(LONGEST_NAME, row.get(i).length()));
      }
    }
    for (int r = 0; r < rows.size(); r++) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        line.append("  ").append(Text.format("%-" + widths[i] + "s", rows.get(r).get(i)));
      }
      text.append(line.toString().stripTrailing()).append('\n');
      String note = r == 0 ? null : section.lines().get(r - 1).note();
      if (note != null) {
        text.append("    (").append(note).append(")\n");
      }
    }
  }
}
