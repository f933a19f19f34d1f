package dev.lethe.unlearn;

import dev.lethe.data.Sample;
import java.util.List;
import java.util.Objects;

/**
 * A training set seen through a request.
 *
 * @param retained the rows that nobody asked to change, in data order
 * @param changes the requested ones, in data order
 * @param target the rows as they should have been: the retained ones, and each replacement in the
 *     place of its original
 */
public record DataSplit(List<Sample> retained, List<Change> changes, List<Sample> target) {
  public DataSplit {
    retained = List.copyOf(retained);
    changes = List.copyOf(changes);
    target = List.copyOf(target);
  }

  /** n, the number of rows that the adapter was trained on. */
  public int rows() {
    return retained.size() + changes.size();
  }

  /** The changes that change something: all but rows that are replaced by themselves. */
  public List<Change> effective() {
    return changes.stream().filter(change -> change.kind() != Change.Kind.UNCHANGED).toList();
  }

  /** The requested rows as the adapter was trained on them. */
  public List<Sample> forgotten() {
    return changes.stream().map(Change::original).toList();
  }

  /** The new versions, of those rows that have one. */
  public List<Sample> replacements() {
    return changes.stream().map(Change::replacement).filter(Objects::nonNull).toList();
  }
}
