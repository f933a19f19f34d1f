package dev.lethe.unlearn.request;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.RowKey;
import dev.lethe.data.RowRequest;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
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
  private final RowCopies copies;
  private final EarlierRequests earlier;
  private final RowKey key;
  private final List<String> notes;

  private UnlearnRequest(
      List<Sample> data,
      List<Change> changes,
      List<Sample> retained,
      List<Sample> target,
      EarlierRequests earlier,
      List<String> notes) {
    this.data = data;
    this.changes = List.copyOf(changes);
    this.retained = List.copyOf(retained);
    this.target = List.copyOf(target);
    this.copies = RowCopies.of(data, changes);
    this.earlier = earlier;
    this.key = earlier.key() == null ? RowKey.random() : earlier.key();
    this.notes = List.copyOf(notes);
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
    return new UnlearnRequest(rows, changes, retained, target, EarlierRequests.NONE, List.of());
  }

  /**
   * The request with the copies of its rows: removed where these are removed, replaced by the same where these are
   * replaced.
   */
  public UnlearnRequest withCopies(RowCopies.Kind kind) {
    Map<String, String> taken = kind.of(copies);
    if (taken.isEmpty()) {
      return this;
    }
    Map<String, Sample> newVersions = new HashMap<>();
    replacements().forEach(row -> newVersions.put(row.id(), row));
    List<String> ids = new ArrayList<>(forgetIds());
    List<Sample> all = new ArrayList<>(newVersions.values());
    taken.forEach(
        (copy, original) -> {
          if (newVersions.containsKey(original)) {
            all.add(newVersions.get(original).named(copy));
          }
          ids.add(copy);
        });
    return of(data, ids, all).following(earlier, notes);
  }

  /**
   * The request to an adapter that earlier ones have changed: rows that they removed are no data of it.
   *
   * @throws LetheException for a row that was removed already, and for data with a row that was replaced since
   */
  public UnlearnRequest after(EarlierRequests requests) {
    requests.requireNotRemoved(forgetIds(), data);
    List<Sample> left = requests.left(data);
    List<String> more = new ArrayList<>(notes);
    more.addAll(requests.remarks());
    if (left.size() == data.size()) {
      return following(requests, more);
    }
    more.add(
        Text.format(
            "%,d rows of the data were removed by earlier requests and are left out", data.size() - left.size()));
    return of(left, forgetIds(), replacements()).following(requests, more);
  }

  /** The request with something that its certificate should say. */
  public UnlearnRequest noting(String note) {
    List<String> more = new ArrayList<>(notes);
    more.add(note);
    return following(earlier, more);
  }

  private UnlearnRequest following(EarlierRequests requests, List<String> said) {
    return new UnlearnRequest(data, changes, retained, target, requests, said);
  }

  /** Rows that stay and say what a requested row says. */
  public RowCopies copies() {
    return copies;
  }

  /** What earlier requests changed. */
  public EarlierRequests earlier() {
    return earlier;
  }

  /** The key under which the certificate names rows: that of the adapter's training, or a new one. */
  public RowKey key() {
    return key;
  }

  /** What the certificate should say of the request. */
  public List<String> notes() {
    return notes;
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
