package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;

/** Arithmetic on what was recorded by the native library ({@code native/cpu/f32_records.h}). */
final class NativeRecords implements RecordPrimitives {
  @Override
  public void changed(
      float a, MemorySegment x, long xo, MemorySegment d, long dOffset, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofD = NativeCode.floats(d, dOffset, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.CHANGED.invokeExact((long) n, a, ofX, ofD, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void dots(
      MemorySegment x, long xo, long row, MemorySegment v, long vo, int n, float[] lanes) {
    long ofX = NativeCode.reach(x, xo, (ROWS - 1) * row + 2L * n);
    long ofV = NativeCode.floats(v, vo, n);
    MemorySegment sums = MemorySegment.ofArray(lanes);
    NativeCode.reach(sums, 0, 4L * (RowPrimitives.LANES * (ROWS - 1) + 1));
    try {
      NativeCode.DOTS.invokeExact((long) n, ofX, row, ofV, sums);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void addRows(
      float[] weights, int first, MemorySegment x, long xo, long row, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, (ROWS - 1) * row + 2L * n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.ADD_ROWS.invokeExact(
          (long) n, weights[first], weights[first + 1], weights[first + 2], weights[first + 3], ofX, row, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }
}
