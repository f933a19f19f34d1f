package dev.lethe.backend.cpu;

import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The meaning of {@link RecordPrimitives}, element by element. */
final class ScalarRecords implements RecordPrimitives {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  @Override
  public void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i++) {
      y.set(FLOAT, yo + 4L * i, DType.bf16ToFloat(x.get(SHORT, xo + 2L * i)));
    }
  }

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
}
