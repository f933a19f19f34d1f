package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;

/** Products with rows of BF16 by the native library. The rest is that of Java. */
record NativeRecords(RecordPrimitives java) implements RecordPrimitives {
  @Override
  public void changed(
      float a, MemorySegment x, long xo, MemorySegment d, long dOffset, MemorySegment y, long yo, int n) {
    java.changed(a, x, xo, d, dOffset, y, yo, n);
  }

  @Override
  public void dots(
      MemorySegment x, long xo, long row, MemorySegment v, long vo, int n, float[] lanes) {
    long ofX = NativeCode.reach(x, xo, (ROWS - 1) * row + 2L * n);
    long ofV = NativeCode.reach(v, vo, 4L * n);
    MemorySegment sums = MemorySegment.ofArray(lanes);
    NativeCode.reach(sums, 0, 4L * (RowPrimitives.LANES * (ROWS - 1) + 1));
    try {
      NativeCode.Records.DOTS.invokeExact((long) n, ofX, row, ofV, sums);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public void addRows(
      float[] weights, int first, MemorySegment x, long xo, long row, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, (ROWS - 1) * row + 2L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    try {
      NativeCode.Records.ADD_ROWS.invokeExact(
          (long) n, weights[first], weights[first + 1], weights[first + 2], weights[first + 3], ofX, row, ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }
}
