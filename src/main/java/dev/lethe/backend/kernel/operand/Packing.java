package dev.lethe.backend.kernel.operand;

import dev.lethe.ArgumentException;
import java.util.Arrays;
import java.util.List;

/**
 * Several sequences packed one after another without padding: sequence i holds rows {@code start(i) …
 * end(i)-1}.
 */
public final class Packing {
  private final int[] starts;

  private Packing(int[] starts) {
    this.starts = starts;
  }

  /** Sequences of the given lengths, in order. */
  public static Packing ofLengths(int... lengths) {
    int[] starts = new int[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      if (lengths[i] < 0) {
        throw new ArgumentException("sequence " + i + " has length " + lengths[i]);
      }
      starts[i + 1] = Math.addExact(starts[i], lengths[i]);
    }
    return new Packing(starts);
  }

  /** Sequences of the given lengths, in order. */
  public static Packing ofLengths(List<Integer> lengths) {
    return ofLengths(lengths.stream().mapToInt(Integer::intValue).toArray());
  }

  /** Number of sequences. */
  public int count() {
    return starts.length - 1;
  }

  public int start(int sequence) {
    return starts[sequence];
  }

  public int end(int sequence) {
    return starts[sequence + 1];
  }

  public int length(int sequence) {
    return end(sequence) - start(sequence);
  }

  /** All rows together. */
  public int rows() {
    return starts[starts.length - 1];
  }

  /** The longest sequence. */
  public int longest() {
    int longest = 0;
    for (int i = 0; i < count(); i++) {
      longest = Math.max(longest, length(i));
    }
    return longest;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Packing p && Arrays.equals(starts, p.starts);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(starts);
  }

  @Override
  public String toString() {
    return count() + " sequences, " + rows() + " rows";
  }
}
