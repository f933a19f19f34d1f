package dev.lethe.assess.record;

import dev.lethe.assess.metric.Estimate;
import java.util.List;

/**
 * A family of measures as a table.
 *
 * @param key its name in the record
 * @param title its name for people
 * @param meaning how to read it, in a sentence or two
 * @param columns names of the columns
 * @param lines the table
 * @param remarks what must be known before a number here is quoted
 */
public record Section(
    String key, String title, String meaning, List<String> columns, List<Line> lines, List<String> remarks) {
  public Section {
    columns = List.copyOf(columns);
    lines = List.copyOf(lines);
    remarks = List.copyOf(remarks);
  }

  /**
   * A line of the table.
   *
   * @param name what is measured
   * @param cells a number for each column
   * @param note why the line says nothing, or less than it seems to; null where nothing is to be said
   */
  public record Line(String name, List<Estimate> cells, String note) {
    public Line {
      cells = List.copyOf(cells);
    }
  }

  /** The line of a name; null where there is none. */
  public Line line(String name) {
    return lines.stream().filter(line -> line.name().equals(name)).findFirst().orElse(null);
  }

  /** The number in a line and a column; one that does not exist where there is none. */
  public Estimate at(String name, String column) {
    Line line = line(name);
    int at = columns.indexOf(column);
    return line == null || at < 0 ? Estimate.none("not measured") : line.cells().get(at);
  }
}
