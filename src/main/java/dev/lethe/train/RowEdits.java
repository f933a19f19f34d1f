package dev.lethe.train;

import dev.lethe.data.RowRequest;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;

/**
 * How a training differs from one on all its rows as they are: some rows removed, some replaced. Order,
 * batches, their parts and learning rates stay those of the original rows, so that the two runs differ by
 * the edits alone.
 *
 * @param removed ids of rows that keep their slot without being trained on
 * @param replacements the row that is trained on in an original's slot, by the original's id
 * @param divisor what the removal does to the other rows' weights
 */
public record RowEdits(
    Set<String> removed, Map<String, Sample> replacements, Divisor divisor) {
  /** No edits at all. */
  public static final RowEdits NONE = new RowEdits(Set.of(), Map.of(), Divisor.KEEP);

  public RowEdits {
    removed = Set.copyOf(removed);
    replacements = Map.copyOf(replacements);
  }

  /**
   * Checks edits against the data, as {@link RowRequest#of} does.
   *
   * @param data all rows that the original training read
   * @param ids rows to remove; those that have a replacement are replaced
   */
  public static RowEdits of(
      List<Sample> data,
      Collection<String> ids,
      Collection<Sample> replacements,
      Divisor divisor) {
    RowRequest request = RowRequest.of(data, ids, replacements);
    Set<String> removed = new HashSet<>(request.ids());
    removed.removeAll(request.replacements().keySet());
    return new RowEdits(removed, request.replacements(), divisor);
  }

  /** Whether the training is that of all rows as they are. */
  public boolean isEmpty() {
    return removed.isEmpty() && replacements.isEmpty();
  }

  /** What is trained on in a row's slot; null where the row is removed, or null already. */
  public Sample apply(Sample row) {
    if (row == null || removed.contains(row.id())) {
      return null;
    }
    return replacements.getOrDefault(row.id(), row);
  }

  /** The rows that are trained on, in order; null rows are left out. */
  public List<Sample> target(List<Sample> rows) {
    return rows.stream().map(this::apply).filter(Objects::nonNull).toList();
  }

  /** A hash of the edits in hex; {@code none} where there are none. */
  String identity() {
    if (isEmpty()) {
      return "none";
    }
    Sha256 hash = Sha256.start().add(divisor.label());
    new TreeSet<>(removed).forEach(hash::add);
    for (String id : new TreeSet<>(replacements.keySet())) {
      Sample row = replacements.get(id);
      hash.add(id).add(row.inputIds()).add(row.labels());
    }
    return hash.hex();
  }
}
