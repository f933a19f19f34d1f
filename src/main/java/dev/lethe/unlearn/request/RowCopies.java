package dev.lethe.unlearn.request;

import dev.lethe.Text;
import dev.lethe.data.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Rows that nobody asked to change although they say what a requested row says: what was to be forgotten stays trained
 * on in them.
 *
 * @param exact the same tokens, with the same ones supervised: the row's id → the id of the requested row
 * @param near the same text without regard to case, white space and Unicode's compositions, likewise
 */
public record RowCopies(Map<String, String> exact, Map<String, String> near) {
  private static final int SHOWN = 5;

  /**
   * Finds them.
   *
   * @param data all training rows
   * @param changes what is asked
   */
  static RowCopies of(List<Sample> data, List<Change> changes) {
    Map<Tokens, String> same = new HashMap<>();
    Map<String, String> alike = new HashMap<>();
    Set<String> requested = new HashSet<>();
    for (Change change : changes) {
      Sample row = change.original();
      requested.add(row.id());
      if (change.kind() != Change.Kind.UNCHANGED) {
        same.putIfAbsent(new Tokens(row), row.id());
        alike.putIfAbsent(row.likeness(), row.id());
      }
    }
    alike.remove("");
    Map<String, String> exact = new LinkedHashMap<>();
    Map<String, String> near = new LinkedHashMap<>();
    if (same.isEmpty()) {
      return new RowCopies(exact, near);
    }
    for (Sample row : data) {
      if (requested.contains(row.id())) {
        continue;
      }
      String original = same.get(new Tokens(row));
      if (original != null) {
        exact.put(row.id(), original);
      } else if (alike.containsKey(row.likeness())) {
        near.put(row.id(), alike.get(row.likeness()));
      }
    }
    return new RowCopies(exact, near);
  }

  /** Which of them are taken along where somebody asks for that. */
  public enum Kind {
    EXACT,
    NEAR;

    /** The copies' originals by the copies' ids; near ones include exact ones. */
    Map<String, String> of(RowCopies copies) {
      Map<String, String> taken = new LinkedHashMap<>(copies.exact);
      if (this == NEAR) {
        taken.putAll(copies.near);
      }
      return taken;
    }
  }

  /** A sentence for each kind of copy that stays. */
  public List<String> sentences() {
    List<String> all = new ArrayList<>();
    sentence(exact, "say the same as requested ones", "exact").ifPresent(all::add);
    sentence(near, "say nearly the same as requested ones (case, white space, Unicode's compositions)", "near")
        .ifPresent(all::add);
    return all;
  }

  private static Optional<String> sentence(Map<String, String> copies, String say, String kind) {
    if (copies.isEmpty()) {
      return Optional.empty();
    }
    String shown =
        copies.entrySet().stream()
            .limit(SHOWN)
            .map(e -> Text.quote(e.getKey()) + " as " + Text.quote(e.getValue()))
            .collect(Collectors.joining(", "));
    String more = copies.size() > SHOWN ? Text.format(" and %,d more", copies.size() - SHOWN) : "";
    return Optional.of(
        Text.format(
            "rows that stay %s and are still trained on: %s%s; --with-copies %s takes them along",
            say, shown, more, kind));
  }

  /** A row's tokens and labels as a key. */
  private record Tokens(int[] ids, int[] labels) {
    private Tokens(Sample row) {
      this(row.inputIds(), row.labels());
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Tokens t && Arrays.equals(ids, t.ids) && Arrays.equals(labels, t.labels);
    }

    @Override
    public int hashCode() {
      return 31 * Arrays.hashCode(ids) + Arrays.hashCode(labels);
    }
  }
}
