package dev.lethe.assess;

import dev.lethe.data.Sample;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Rows that are measured together.
 *
 * @param name what they are: forgotten, new versions, retained, held-out
 * @param samples at least one
 * @param of how many such rows there are; more than samples where those were drawn
 */
public record RowGroup(String name, List<Sample> samples, int of) {
  /** Rows to forget, as they were trained on. */
  public static final String FORGOTTEN = "forgotten";

  /** What replaces them. */
  public static final String NEW_VERSIONS = "new versions";

  /** Rows that nobody asked to change. */
  public static final String RETAINED = "retained";

  /** Rows that no adapter was trained on. */
  public static final String HELD_OUT = "held-out";

  public RowGroup {
    samples = List.copyOf(samples);
  }

  /** At most so many rows, drawn by a seed and kept in their order. */
  public static RowGroup drawn(String name, List<Sample> all, int most, long seed) {
    return new RowGroup(name, draw(all, most, seed), all.size());
  }

  /** At most so many of a list, drawn by a seed and kept in their order. */
  static <T> List<T> draw(List<T> all, int most, long seed) {
    if (all.size() <= most) {
      return all;
    }
    List<Integer> numbers = new ArrayList<>(IntStream.range(0, all.size()).boxed().toList());
    Collections.shuffle(numbers, new Random(seed));
    return numbers.subList(0, most).stream().sorted().map(all::get).toList();
  }
}
