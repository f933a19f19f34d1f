package dev.lethe.data;

import java.util.ArrayList;
import java.util.List;

/**
 * A data set as samples.
 *
 * @param idsByPosition whether rows without an id of their own are known by their place in the file, so that other rows
 *     have these ids once some are taken out
 * @param skipped lines of the rows that cannot be used and were left out, as was asked
 * @param notes sentences that whoever gave the file should read
 */
public record LoadedRows(
    List<Sample> samples, boolean idsByPosition, List<Integer> skipped, List<String> notes) {
  public LoadedRows {
    samples = List.copyOf(samples);
    skipped = List.copyOf(skipped);
    notes = List.copyOf(notes);
  }

  /** The same with other samples. */
  public LoadedRows with(List<Sample> others, String note) {
    List<String> all = new ArrayList<>(notes);
    all.add(note);
    return new LoadedRows(others, idsByPosition, skipped, all);
  }
}
