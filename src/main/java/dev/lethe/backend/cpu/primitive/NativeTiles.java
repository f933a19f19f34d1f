package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;

/**
 * Products by the native library: the same sums as those of {@link VectorTiles}, with more of a tile in
 * registers and every instruction chosen.
 */
final class NativeTiles implements TilePrimitives {
  @Override
  public void multiplyAdd(
      int rows,
      int width,
      int depth,
      MemorySegment a,
      long ao,
      long aRow,
      long aColumn,
      MemorySegment b,
      long bo,
      long bRow,
      MemorySegment z,
      long zo,
      long zRow,
      MemorySegment c,
      long co,
      long cRow) {
    if (rows <= 0) {
      return;
    }
    long bytes = 4L * width;
    long last = rows - 1L;
    long ofA = depth == 0 ? 0 : NativeCode.reach(a, ao, last * aRow + (depth - 1) * aColumn + 4);
    long ofB = depth == 0 ? 0 : NativeCode.reach(b, bo, (depth - 1) * bRow + bytes);
    long ofZ = NativeCode.reach(z, zo, last * zRow + bytes);
    long ofC = NativeCode.reach(c, co, last * cRow + bytes);
    try {
      NativeCode.MULTIPLY.invokeExact(
          (long) rows, (long) width, (long) depth, ofA, aRow, aColumn, ofB, bRow, ofZ, zRow, ofC,
          cRow);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void transpose(
      int rows,
      int columns,
      MemorySegment from,
      long fo,
      long fRow,
      MemorySegment to,
      long offset,
      long toRow,
      int padded) {
    if (rows <= 0 || columns <= 0) {
      return;
    }
    long source = NativeCode.reach(from, fo, (rows - 1) * fRow + 4L * columns);
    long target = NativeCode.reach(to, offset, (columns - 1) * toRow + 4L * padded);
    try {
      NativeCode.TRANSPOSE.invokeExact(
          (long) rows, (long) columns, source, fRow, target, toRow, (long) padded);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public boolean transposeBf16(
      int rows,
      int columns,
      MemorySegment from,
      long fo,
      long fRow,
      MemorySegment to,
      long offset,
      int padded,
      boolean readAtOnce) {
    if (rows <= 0 || columns <= 0) {
      return true;
    }
    long source = NativeCode.reach(from, fo, (rows - 1) * fRow + 2L * columns);
    long target = NativeCode.reach(to, offset, 4L * columns * padded);
    try {
      return (int) NativeCode.Bfloat16.TRANSPOSE.invokeExact(
              (long) rows, (long) columns, source, fRow, target, (long) padded, readAtOnce ? 1L : 0L)
          != 0;
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void widenBf16(
      int rows, int columns, MemorySegment from, long fo, long fRow, MemorySegment to, long offset, int padded) {
    if (rows <= 0 || columns <= 0) {
      return;
    }
    long source = NativeCode.reach(from, fo, (rows - 1) * fRow + 2L * columns);
    long target = NativeCode.reach(to, offset, 4L * rows * padded);
    try {
      NativeCode.Bfloat16.WIDEN.invokeExact((long) rows, (long) columns, source, fRow, target, (long) padded);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void prefetch(int rows, long bytes, MemorySegment from, long offset, long row) {
    if (rows <= 0) {
      return;
    }
    long source = NativeCode.reach(from, offset, (rows - 1) * row + bytes);
    try {
      NativeCode.PREFETCH.invokeExact((long) rows, bytes, source, row);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }
}
