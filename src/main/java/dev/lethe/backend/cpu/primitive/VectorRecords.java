package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.RowPrimitives.LANES;
import static dev.lethe.backend.cpu.primitive.VectorMath.L;
import static dev.lethe.backend.cpu.primitive.VectorMath.SPECIES;
import static dev.lethe.backend.cpu.primitive.VectorMath.all;
import static dev.lethe.backend.cpu.primitive.VectorMath.load;
import static dev.lethe.backend.cpu.primitive.VectorMath.store;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The same on the Vector API. */
final class VectorRecords implements RecordPrimitives {
  private final ScalarRecords scalar = new ScalarRecords();

  @Override
  public void dots(
      MemorySegment x, long xo, long row, MemorySegment v, long vo, int n, float[] lanes) {
    int whole = n - n % LANES;
    for (int lane = 0; lane < LANES; lane += L) {
      FloatVector s0 = FloatVector.zero(SPECIES);
      FloatVector s1 = FloatVector.zero(SPECIES);
      FloatVector s2 = FloatVector.zero(SPECIES);
      FloatVector s3 = FloatVector.zero(SPECIES);
      for (int i = lane; i < whole; i += LANES) {
        FloatVector right = load(v, vo, i);
        long at = xo + 2L * i;
        s0 = floats(x, at).fma(right, s0);
        s1 = floats(x, at + row).fma(right, s1);
        s2 = floats(x, at + 2 * row).fma(right, s2);
        s3 = floats(x, at + 3 * row).fma(right, s3);
      }
      s0.intoArray(lanes, lane);
      s1.intoArray(lanes, LANES + lane);
      s2.intoArray(lanes, 2 * LANES + lane);
      s3.intoArray(lanes, 3 * LANES + lane);
    }
    ScalarRecords.finishDots(x, xo, row, v, vo, whole, n, lanes);
  }

  @Override
  public void addRows(
      float[] weights, int first, MemorySegment x, long xo, long row, MemorySegment y, long yo, int n) {
    FloatVector w0 = all(weights[first]);
    FloatVector w1 = all(weights[first + 1]);
    FloatVector w2 = all(weights[first + 2]);
    FloatVector w3 = all(weights[first + 3]);
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      long at = xo + 2L * i;
      FloatVector sum = w0.fma(floats(x, at), load(y, yo, i));
      sum = w1.fma(floats(x, at + row), sum);
      sum = w2.fma(floats(x, at + 2 * row), sum);
      sum = w3.fma(floats(x, at + 3 * row), sum);
      store(sum, y, yo, i);
    }
    long rest = 2L * whole;
    scalar.addRows(weights, first, x, xo + rest, row, y, yo + 2 * rest, n - whole);
  }

  /** The vector of BF16 at a byte offset. */
  private static FloatVector floats(MemorySegment x, long offset) {
    return VectorMath.loadBfloat16(x, offset, 0);
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
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector value = load(x, xo, i);
      FloatVector change = load(d, dOffset, i);
      FloatVector sum = value.add(change).blend(value, change.compare(VectorOperators.EQ, 0f));
      store(sum.mul(a), y, yo, i);
    }
    long at = 4L * whole;
    scalar.changed(a, x, xo + at, d, dOffset + at, y, yo + at, n - whole);
  }
}
