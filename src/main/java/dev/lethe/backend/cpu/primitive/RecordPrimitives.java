package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;

/**
 * Arithmetic on what was recorded: runs of n contiguous numbers, BF16 or floats. Offsets are in bytes. All
 * implementations give the same bytes.
 */
public interface RecordPrimitives {
  /** Rows that are taken at a time. */
  int ROWS = 4;

  /** y = a·(x + d) of floats, where x itself stands for x + 0, so that a zero keeps its sign. */
  void changed(
      float a, MemorySegment x, long xo, MemorySegment d, long dOffset, MemorySegment y, long yo, int n);

  /**
   * Products of {@value #ROWS} rows of BF16 with one run of floats, with the bytes of {@link
   * RowPrimitives#dot}.
   *
   * @param row bytes from one row to the next
   * @param lanes the product with row r is left at 16·r; the other places are for the work
   */
  void dots(
      MemorySegment x, long xo, long row, MemorySegment v, long vo, int n, float[] lanes);

  /** y = y + Σ weights[r]·x[r] over {@value #ROWS} rows of BF16, which are added in their order. */
  void addRows(
      float[] weights, int first, MemorySegment x, long xo, long row, MemorySegment y, long yo, int n);
}
