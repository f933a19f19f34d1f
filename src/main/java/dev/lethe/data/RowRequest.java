package dev.lethe.data;

import dev.lethe.LetheException;
import dev.lethe.Text;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Rows of a data set that are named by their ids, each to be removed or replaced. Made by {@link #of},
 * which checks it against the data.
 *
 * @param ids all of them in data order
 * @param replacements the new version by the id of its original; ids outside are removals
 */
public record RowRequest(List<String> ids, Map<String, Sample> replacements) {
  private static final String REQUEST = "unlearning request";

  public RowRequest {
    ids = List.copyOf(ids);
    replacements = Map.copyOf(replacements);
  }

  /**
   * Checks a request against the data.
   *
   * @param data all training rows, with unique ids
   * @param ids rows to forget; a row with a replacement need not be listed
   * @param replacements new versions; the id of each names its original
   * @throws LetheException for an id that the data does not have (with near ones), an id or a replacement
   *     given twice, and a request that leaves no row
   */
  public static RowRequest of(
      List<Sample> data, Collection<String> ids, Collection<Sample> replacements) {
    Map<String, Sample> byId = index(data);
    Set<String> forget = unique(ids);
    requireKnown(forget, byId.keySet());
    Map<String, Sample> newVersions = new LinkedHashMap<>();
    for (Sample replacement : replacements) {
      requireOriginal(replacement, byId.keySet());
      if (newVersions.put(replacement.id(), replacement) != null) {
        throw new LetheException(
            REQUEST,
            "row '" + replacement.id() + "' has two replacements",
            "one replacement a row",
            "two",
            "Remove one of them.");
      }
    }
    forget.addAll(newVersions.keySet());
    if (!data.isEmpty() && newVersions.isEmpty() && forget.size() == data.size()) {
      throw new LetheException(
          REQUEST,
          "it removes every training row",
          "at least one row that stays or is replaced",
          Text.format("all %,d removed", data.size()),
          "An adapter that should forget everything is the base model without it.");
    }
    return new RowRequest(
        data.stream().map(Sample::id).filter(forget::contains).toList(), newVersions);
  }

  private static Map<String, Sample> index(List<Sample> data) {
    Map<String, Sample> byId = new HashMap<>();
    for (Sample sample : data) {
      if (byId.put(sample.id(), sample) != null) {
        throw new LetheException(
            "training data",
            "two rows have the id '" + sample.id() + "'",
            "every id once",
            null,
            "Give the rows ids of their own; a request names rows by them.");
      }
    }
    return byId;
  }

  private static Set<String> unique(Collection<String> ids) {
    Set<String> unique = new LinkedHashSet<>();
    Set<String> twice = new LinkedHashSet<>();
    for (String id : ids) {
      if (!unique.add(id)) {
        twice.add(id);
      }
    }
    if (!twice.isEmpty()) {
      throw new LetheException(
          REQUEST,
          "the same id stands in it more than once",
          "every id once",
          quoted(twice),
          "Remove the repetition, or correct the id that was meant.");
    }
    return unique;
  }

  private static void requireKnown(Set<String> ids, Set<String> known) {
    List<String> unknown = ids.stream().filter(id -> !known.contains(id)).toList();
    if (unknown.isEmpty()) {
      return;
    }
    Function<String, String> described = id -> "'" + id + "'" + NearIds.hint(id, known);
    throw new LetheException(
        REQUEST,
        unknown.size() == 1 ? "the data has no such row" : "the data has no such rows",
        Text.format("ids of the %,d rows that the adapter was trained on", known.size()),
        listed(unknown.stream().limit(NearIds.SHOWN).map(described).toList(), unknown.size()),
        "Correct the ids, or give the data file that the adapter was trained on.");
  }

  private static void requireOriginal(Sample replacement, Set<String> known) {
    if (!known.contains(replacement.id())) {
      throw new LetheException(
          REQUEST,
          "a replacement has no original in the data",
          Text.format("an id of the %,d rows that the adapter was trained on", known.size()),
          "'" + replacement.id() + "'" + NearIds.hint(replacement.id(), known),
          "Let the replacement's id name the row that it replaces.");
    }
  }

  private static String quoted(Collection<String> ids) {
    List<String> shown = ids.stream().limit(NearIds.SHOWN).map(id -> "'" + id + "'").toList();
    return listed(shown, ids.size());
  }

  private static String listed(List<String> shown, int all) {
    String text = shown.stream().collect(Collectors.joining(", "));
    return all > shown.size() ? text + Text.format(" and %,d more", all - shown.size()) : text;
  }
}
