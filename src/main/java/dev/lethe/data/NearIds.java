package dev.lethe.data;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Suggestions for a mistyped id. */
public final class NearIds {
  /** The most ids that a message names. */
  public static final int SHOWN = 5;

  private static final int NEAREST = 3;

  private NearIds() {}

  /** As in {@code  (near: 'row-12', 'row-21')}; empty where nothing is near. */
  public static String hint(String id, Collection<String> known) {
    int limit = Math.max(1, id.length() / 3);
    List<String> near =
        known.stream()
            .filter(other -> Math.abs(other.length() - id.length()) <= limit)
            .map(other -> new Scored(other, distance(id, other)))
            .filter(scored -> scored.distance <= limit)
            .sorted(Comparator.comparingInt(Scored::distance).thenComparing(Scored::id))
            .limit(NEAREST)
            .map(scored -> "'" + scored.id + "'")
            .toList();
    return near.isEmpty() ? "" : near.stream().collect(Collectors.joining(", ", " (near: ", ")"));
  }

  /** Levenshtein's edit distance, ignoring case. */
  static int distance(String a, String b) {
    int[] previous = new int[b.length() + 1];
    int[] current = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      previous[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      current[0] = i;
      char c = Character.toLowerCase(a.charAt(i - 1));
      for (int j = 1; j <= b.length(); j++) {
        int change = c == Character.toLowerCase(b.charAt(j - 1)) ? 0 : 1;
        int keep = previous[j - 1] + change;
        current[j] = Math.min(keep, 1 + Math.min(previous[j], current[j - 1]));
      }
      int[] swap = previous;
      previous = current;
      current = swap;
    }
    return previous[b.length()];
  }

  private record Scored(String id, int distance) {}
}
