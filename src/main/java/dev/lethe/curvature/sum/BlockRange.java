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
  /** Parts differ from each other by at most one in so many. */
  private static final int STEPS = 16;

  public BlockRange {
    if (first < 0 || end < first) {
      throw new ArgumentException(Text.format("blocks %d to %d", first, end));
    }
  }

  /** All of so many blocks. */
  public static BlockRange all(int blocks) {
    return new BlockRange(0, blocks);
  }

  /**
   * One of {@code count} parts of so many blocks, of about the same size; where there are fewer blocks than parts, some
   * are empty. Large parts begin at multiples of a power of two, so that a part covers few nodes of the tree.
   */
  public static BlockRange part(int index, int count, int blocks) {
    return new BlockRange(start(index, count, blocks), start(index + 1, count, blocks));
  }

  private static int start(int index, int count, int blocks) {
    int step = Math.max(1, Integer.highestOneBit(blocks / count / STEPS));
    long exact = (long) blocks * index / count;
    return index == count ? blocks : Math.toIntExact(Math.min(blocks, (exact + step / 2) / step * step));
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
