package dev.lethe.backend.cpu.primitive;

import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * As {@link MicroKernels}, for products with 16 columns on a 512-bit machine, such as those with a
 * low-rank factor: one vector of columns. A smaller vector would waste less on rank 8, but all
 * vectors of floats must have one size: the compiler learns their class from the calls that pass
 * through the library's methods, and where it has seen two it keeps neither in registers. Six rows for
 * the same reason as there.
 */
final class NarrowMicroKernels {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private NarrowMicroKernels() {}

  static void rows6(
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
    FloatVector c0 = fromMemorySegment(S, z, zo, LE);
    FloatVector c1 = fromMemorySegment(S, z, zo + zRow, LE);
    FloatVector c2 = fromMemorySegment(S, z, zo + 2 * zRow, LE);
    FloatVector c3 = fromMemorySegment(S, z, zo + 3 * zRow, LE);
    FloatVector c4 = fromMemorySegment(S, z, zo + 4 * zRow, LE);
    FloatVector c5 = fromMemorySegment(S, z, zo + 5 * zRow, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    long a4 = ao + 4 * aRow;
    long a5 = ao + 5 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(S, b, bo, LE);
      c0 = broadcast(S, a.get(FLOAT, ao + at)).fma(y, c0);
      c1 = broadcast(S, a.get(FLOAT, a1 + at)).fma(y, c1);
      c2 = broadcast(S, a.get(FLOAT, a2 + at)).fma(y, c2);
      c3 = broadcast(S, a.get(FLOAT, a3 + at)).fma(y, c3);
      c4 = broadcast(S, a.get(FLOAT, a4 + at)).fma(y, c4);
      c5 = broadcast(S, a.get(FLOAT, a5 + at)).fma(y, c5);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
    c4.intoMemorySegment(c, co + 4 * cRow, LE);
    c5.intoMemorySegment(c, co + 5 * cRow, LE);
  }

  static void rows4(
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
    FloatVector c0 = fromMemorySegment(S, z, zo, LE);
    FloatVector c1 = fromMemorySegment(S, z, zo + zRow, LE);
    FloatVector c2 = fromMemorySegment(S, z, zo + 2 * zRow, LE);
    FloatVector c3 = fromMemorySegment(S, z, zo + 3 * zRow, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(S, b, bo, LE);
      c0 = broadcast(S, a.get(FLOAT, ao + at)).fma(y, c0);
      c1 = broadcast(S, a.get(FLOAT, a1 + at)).fma(y, c1);
      c2 = broadcast(S, a.get(FLOAT, a2 + at)).fma(y, c2);
      c3 = broadcast(S, a.get(FLOAT, a3 + at)).fma(y, c3);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
  }

  static void rows1(
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
    FloatVector c0 = fromMemorySegment(S, z, zo, LE);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(S, b, bo, LE);
      c0 = broadcast(S, a.get(FLOAT, ao + at)).fma(y, c0);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
  }
}
