package dev.lethe.backend.cpu;

import static dev.lethe.backend.cpu.VectorMath.L;
import static dev.lethe.backend.cpu.VectorMath.SPECIES;
import static dev.lethe.backend.cpu.VectorMath.load;
import static dev.lethe.backend.cpu.VectorMath.store;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** The same on the Vector API. */
final class VectorRecords implements RecordPrimitives {
  private static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(16 * L));
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;

  private final ScalarRecords rest = new ScalarRecords();

  @Override
  public void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      ShortVector bits = ShortVector.fromMemorySegment(SHORTS, x, xo + 2L * i, LITTLE_ENDIAN);
      IntVector wide = (IntVector) bits.convertShape(VectorOperators.S2I, INTS, 0);
      store(wide.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), y, yo, i);
    }
    rest.widen(x, xo + 2L * whole, y, yo + 4L * whole, n - whole);
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
    rest.changed(a, x, xo + at, d, dOffset + at, y, yo + at, n - whole);
  }
}
