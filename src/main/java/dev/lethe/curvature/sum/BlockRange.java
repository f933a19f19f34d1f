package dev.lethe.curvature.sum;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * Consecutive blocks of rows.
 *
 * @param first the first of them
 * @param end the one behind the last
 */
public record BlockRange(int first, int end) {
  public BlockRange {
    if (first < 0 || end < first) {
      throw new ArgumentException(Text.format("blocks %d to %d", first, end));
    }
  }

  /** All of so many blocks. */
  public static BlockRange all(int blocks) {
    return new BlockRange(0, blocks);
  }

  /** One of {@code count} parts of so many blocks, which differ by at most one block; some may be empty. */
  public static BlockRange part(int index, int count, int blocks) {
    long first = (long) blocks * index / count;
    long end = (long) blocks * (index + 1) / count;
    return new BlockRange(Math.toIntExact(first), Math.toIntExact(end));
  }

  /** How many blocks. */
  public int size() {
    return end - first;
  }

  /** What both have. */
  public BlockRange intersection(BlockRange other) {
    int from = Math.max(first, other.first);
    return new BlockRange(from, Math.max(from, Math.min(end, other.end)));
  }
}
