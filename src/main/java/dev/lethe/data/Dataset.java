package dev.lethe.data;

import dev.lethe.LetheException;
import java.util.ArrayList;
import java.util.List;

/**
 * A data set's rows as they were read.
 *
 * @param file its name, for messages
 * @param lines where each row begins, from 1
 * @param count of all rows, those included that were left out
 * @param idsByPosition whether some row has no id of its own
 * @param skipped lines of the rows that were left out
 * @param notes sentences that whoever gave the file should read
 */
public record Dataset(
    String file,
    List<Row> rows,
    List<Integer> lines,
    int count,
    boolean idsByPosition,
    List<Integer> skipped,
    List<String> notes) {
  public Dataset {
    rows = List.copyOf(rows);
    lines = List.copyOf(lines);
    skipped = List.copyOf(skipped);
    notes = List.copyOf(notes);
  }

  /**
   * The rows as samples.
   *
   * @param skipBadRows whether rows that cannot be encoded are left out; otherwise all of them are named in one refusal
   */
  public LoadedRows encode(Encoder encoder, boolean skipBadRows) {
    try {
      return loaded(encoder.encode(rows, file), rows);
    } catch (LetheException e) {
      Dataset usable = encodable(encoder, skipBadRows);
      return usable.loaded(encoder.encode(usable.rows, file), usable.rows);
    }
  }

  private LoadedRows loaded(List<Sample> samples, List<Row> from) {
    List<Sample> likened = new ArrayList<>(samples.size());
    for (int i = 0; i < samples.size(); i++) {
      likened.add(samples.get(i).withLikeness(RowText.likeness(from.get(i))));
    }
    return new LoadedRows(likened, idsByPosition, skipped, notes);
  }

  private Dataset encodable(Encoder encoder, boolean skipBadRows) {
    BadRows bad = new BadRows(file);
    List<Row> good = new ArrayList<>();
    List<Integer> goodLines = new ArrayList<>();
    for (int i = 0; i < rows.size(); i++) {
      String place = file + ":" + lines.get(i);
      try {
        encoder.encode(List.of(rows.get(i)), place);
        good.add(rows.get(i));
        goodLines.add(lines.get(i));
      } catch (LetheException e) {
        bad.add(lines.get(i), placed(e, place + ": row '" + rows.get(i).id() + "'"));
      }
    }
    if (!skipBadRows || good.isEmpty()) {
      throw bad.refusal(rows.size());
    }
    List<Integer> left = new ArrayList<>(skipped);
    left.addAll(bad.lines());
    List<String> more = new ArrayList<>(notes);
    more.add(bad.skipped(count));
    return new Dataset(
        file, good, goodLines, count, idsByPosition, left.stream().sorted().toList(), more);
  }

  private static LetheException placed(LetheException e, String place) {
    boolean there = e.getMessage().startsWith(place);
    return there
        ? e
        : new LetheException(
            place, "the row cannot become tokens", null, e.getMessage(), "Correct or remove the row.", e);
  }
}
