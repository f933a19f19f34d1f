package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.data.RowRequest;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The training samples S that an adapter should forget, each removed or replaced by a version with
 * another query or response. Made by {@link #of}, which checks it against the data.
 *
 * @param forgetIds all of S in data order: what is removed and what is replaced
 * @param replacements the new version by the id of its original; ids outside are removals
 */
public record UnlearnRequest(List<String> forgetIds, Map<String, Sample> replacements) {
  public UnlearnRequest {
    forgetIds = List.copyOf(forgetIds);
    replacements = Map.copyOf(replacements);
    if (!forgetIds.containsAll(replacements.keySet())) {
      throw new IllegalArgumentException("a replacement's id is not among the forgotten ids");
    }
  }

  /**
   * Checks a request against the data that the adapter was trained on.
   *
   * @param data all training rows, with unique ids
   * @param ids rows to forget; a row with a replacement need not be listed
   * @param replacements new versions; the id of each names its original
   * @throws LetheException for an id that the data does not have (with near ones), an id or a
   *     replacement given twice, and a request that leaves no row
   */
  public static UnlearnRequest of(
      List<Sample> data, Collection<String> ids, Collection<Sample> replacements) {
    RowRequest checked = RowRequest.of(data, ids, replacements);
    return new UnlearnRequest(checked.ids(), checked.replacements());
  }

  /** Whether nothing is asked; then nothing may change. */
  public boolean isEmpty() {
    return forgetIds.isEmpty();
  }

  /** The data as it was and as it should have been. */
  public DataSplit split(List<Sample> data) {
    Set<String> forget = new HashSet<>(forgetIds);
    List<Sample> retained = new ArrayList<>();
    List<Change> changes = new ArrayList<>();
    List<Sample> target = new ArrayList<>();
    for (Sample sample : data) {
      Sample replacement = replacements.get(sample.id());
      if (!forget.contains(sample.id())) {
        retained.add(sample);
        target.add(sample);
        continue;
      }
      changes.add(new Change(sample, replacement));
      if (replacement != null) {
        target.add(replacement);
      }
    }
    return new DataSplit(retained, changes, target);
  }

  /** A hash of what is asked, in hex: ids and content hashes. */
  public String sha256() {
    Sha256 hash = Sha256.start();
    for (String id : forgetIds) {
      Sample replacement = replacements.get(id);
      hash.add(id).add(replacement == null ? "" : replacement.hash());
    }
    return hash.hex();
  }
}
