package dev.lethe.unlearn.request;

import dev.lethe.LetheException;
import dev.lethe.data.RowRequest;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * The training rows S that an adapter should forget, each removed or replaced by a version with another query or
 * response, together with the data that they belong to. {@link #of} resolves the ids once; everything else asks this.
 */
public final class UnlearnRequest {
  private final List<Sample> data;
  private final List<Change> changes;
  private final List<Sample> retained;
  private final List<Sample> target;

  private UnlearnRequest(
      List<Sample> data, List<Change> changes, List<Sample> retained, List<Sample> target) {
    this.data = data;
    this.changes = List.copyOf(changes);
    this.retained = List.copyOf(retained);
    this.target = List.copyOf(target);
  }

  /**
   * Checks a request against the data that the adapter was trained on, and resolves it.
   *
   * @param data all training rows, with unique ids
   * @param ids rows to forget; a row with a replacement need not be listed
   * @param replacements new versions; the id of each names its original
   * @throws LetheException for an id that the data does not have (with near ones), an id or a replacement given
   *     twice, and a request that leaves no row
   */
  public static UnlearnRequest of(
      List<Sample> data, Collection<String> ids, Collection<Sample> replacements) {
    List<Sample> rows = List.copyOf(data);
    RowRequest checked = RowRequest.of(rows, ids, replacements);
    Set<String> requested = new HashSet<>(checked.ids());
    List<Change> changes = new ArrayList<>();
    List<Sample> retained = new ArrayList<>();
    List<Sample> target = new ArrayList<>();
    for (Sample row : rows) {
      if (!requested.contains(row.id())) {
        retained.add(row);
        target.add(row);
        continue;
      }
      Sample replacement = checked.replacements().get(row.id());
      changes.add(new Change(row, replacement));
      if (replacement != null) {
        target.add(replacement);
      }
    }
    return new UnlearnRequest(rows, changes, retained, target);
  }

  /** All rows that the adapter was trained on. */
  public List<Sample> data() {
    return data;
  }

  /** n, the number of rows that the adapter was trained on. */
  public int rows() {
    return data.size();
  }

  /** What happens to each requested row, in data order. */
  public List<Change> changes() {
    return changes;
  }

  /** The changes that change something: all but rows that are replaced by themselves. */
  public List<Change> effective() {
    return changes.stream().filter(change -> change.kind() != Change.Kind.UNCHANGED).toList();
  }

  /** The ids of all of S in data order: what is removed and what is replaced. */
  public List<String> forgetIds() {
    return changes.stream().map(change -> change.original().id()).toList();
  }

  /** The requested rows as the adapter was trained on them. */
  public List<Sample> forgotten() {
    return changes.stream().map(Change::original).toList();
  }

  /** The new versions, of those rows that have one. */
  public List<Sample> replacements() {
    return changes.stream().map(Change::replacement).filter(Objects::nonNull).toList();
  }

  /** The rows that nobody asked to change, in data order. */
  public List<Sample> retained() {
    return retained;
  }

  /** The rows as they should have been: the retained ones, and each replacement in the place of its original. */
  public List<Sample> target() {
    return target;
  }

  /** Whether nothing is asked; then nothing may change. */
  public boolean isEmpty() {
    return changes.isEmpty();
  }

  /** A hash of what is asked, in hex: ids and content hashes. */
  public String sha256() {
    Sha256 hash = Sha256.start();
    for (Change change : changes) {
      Sample replacement = change.replacement();
      hash.add(change.original().id()).add(replacement == null ? "" : replacement.hash());
    }
    return hash.hex();
  }
}
