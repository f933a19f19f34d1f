package dev.lethe.trajectory;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.NearIds;
import dev.lethe.data.Sample;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Finds the rows of a trajectory in a data set. */
final class RowMatch {
  private RowMatch() {}

  static List<Sample> of(
      Path folder,
      Provenance provenance,
      List<LoggedRow> rows,
      List<Sample> data,
      String promptForm) {
    Map<String, Integer> places = new HashMap<>();
    for (int i = 0; i < rows.size(); i++) {
      places.put(rows.get(i).id(), i);
    }
    requireNotRemoved(folder, rows, data.stream().map(Sample::id).toList());
    Sample[] found = new Sample[rows.size()];
    List<String> unknown = new ArrayList<>();
    List<String> changed = new ArrayList<>();
    for (Sample sample : data) {
      Integer place = places.get(sample.id());
      if (place == null) {
        unknown.add(sample.id());
        continue;
      }
      found[place] = sample;
      if (!rows.get(place).hash().equals(RowHashes.hash(provenance.rowKey(), sample))) {
        changed.add(sample.id());
      }
    }
    List<String> missing = new ArrayList<>();
    for (int i = 0; i < found.length; i++) {
      if (found[i] == null && !rows.get(i).removed()) {
        missing.add(rows.get(i).id());
      }
    }
    refuse(folder, "the data hold rows that this adapter was not trained on", unknown);
    refuse(folder, "the data lack rows that this adapter was trained on", missing);
    refuseChanged(folder, provenance, changed, data.size(), promptForm);
    return Arrays.asList(found);
  }

  static void requireNotRemoved(Path folder, List<LoggedRow> rows, Collection<String> ids) {
    Set<String> asked = new HashSet<>(ids);
    List<String> removed =
        rows.stream().filter(r -> r.removed() && asked.contains(r.id())).map(LoggedRow::id).toList();
    if (!removed.isEmpty()) {
      throw new LetheException(
          folder.toString(), "rows were removed from this adapter's training before",
          "rows that it still knows", quoted(removed),
          "Take them out of the data and of the request.");
    }
  }

  private static void refuse(Path folder, String problem, List<String> ids) {
    if (!ids.isEmpty()) {
      throw new LetheException(
          folder.toString(), problem, "the rows of its training", quoted(ids),
          "Give the data file that this adapter was trained on.");
    }
  }

  private static void refuseChanged(
      Path folder, Provenance provenance, List<String> changed, int rows, String promptForm) {
    if (changed.isEmpty()) {
      return;
    }
    boolean otherForm = !promptForm.equals(provenance.promptForm());
    if (otherForm) {
      throw new LetheException(
          folder.toString(),
          Text.format(
              "%,d of %,d rows have become other tokens since the training, which had another prompt form",
              changed.size(), rows),
          "prompt form " + provenance.promptForm(), promptForm,
          "Read the data as the training did (--template, --supervise, --field, --day).");
    }
    throw new LetheException(
        folder.toString(), "rows have changed since the training", "the rows as they were",
        quoted(changed),
        "Pass the original data file; new versions of rows go into --replace.");
  }

  private static String quoted(List<String> ids) {
    String shown =
        ids.stream().limit(NearIds.SHOWN).map(id -> "'" + id + "'").collect(Collectors.joining(", "));
    return ids.size() > NearIds.SHOWN
        ? shown + Text.format(" and %,d more", ids.size() - NearIds.SHOWN)
        : shown;
  }
}
