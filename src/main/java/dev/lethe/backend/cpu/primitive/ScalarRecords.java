package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.ScalarMath.fma;

import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** The meaning of {@link RecordPrimitives}, element by element. */
final class ScalarRecords implements RecordPrimitives {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  @Override
  public void changed(
      float a,
      MemorySegment x,
      long xo,
      MemorySegment d,
      long dOffset,
      MemorySegment y,
      long yo,
      int n) {
    for (int i = 0; i < n; i++) {
      float value = x.get(FLOAT, xo + 4L * i);
      float change = d.get(FLOAT, dOffset + 4L * i);
      y.set(FLOAT, yo + 4L * i, a * (change == 0 ? value : value + change));
    }
  }

  @Override
  public void dots(
      MemorySegment x, long xo, long row, MemorySegment v, long vo, int n, float[] lanes) {
    Arrays.fill(lanes, 0);
    finishDots(x, xo, row, v, vo, 0, n, lanes);
  }

  /** Adds the products from element {@code first} on, a multiple of 16, to their lanes, and folds those. */
  static void finishDots(
      MemorySegment x, long xo, long row, MemorySegment v, long vo, int first, int n, float[] lanes) {
    for (int r = 0; r < ROWS; r++) {
      for (int i = first; i < n; i++) {
        int lane = RowPrimitives.LANES * r + i % RowPrimitives.LANES;
        float value = DType.bf16ToFloat(x.get(SHORT, xo + r * row + 2L * i));
        lanes[lane] = fma(value, v.get(FLOAT, vo + 4L * i), lanes[lane]);
      }
      ScalarRows.fold(lanes, RowPrimitives.LANES * r);
    }
  }

  @Override
  public void addRows(
      float[] weights, int first, MemorySegment x, long xo, long row, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i++) {
      float sum = y.get(FLOAT, yo + 4L * i);
      for (int r = 0; r < ROWS; r++) {
        float value = DType.bf16ToFloat(x.get(SHORT, xo + r * row + 2L * i));
        sum = fma(weights[first + r], value, sum);
      }
      y.set(FLOAT, yo + 4L * i, sum);
    }
  }
}
