package dev.lethe.backend.cpu;

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
 * through the library's methods, and where it has seen two it keeps neither in registers.
 */
final class NarrowMicroKernels {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private NarrowMicroKernels() {}

  static void rows12(
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
    FloatVector c6 = fromMemorySegment(S, z, zo + 6 * zRow, LE);
    FloatVector c7 = fromMemorySegment(S, z, zo + 7 * zRow, LE);
    FloatVector c8 = fromMemorySegment(S, z, zo + 8 * zRow, LE);
    FloatVector c9 = fromMemorySegment(S, z, zo + 9 * zRow, LE);
    FloatVector c10 = fromMemorySegment(S, z, zo + 10 * zRow, LE);
    FloatVector c11 = fromMemorySegment(S, z, zo + 11 * zRow, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    long a4 = ao + 4 * aRow;
    long a5 = ao + 5 * aRow;
    long a6 = ao + 6 * aRow;
    long a7 = ao + 7 * aRow;
    long a8 = ao + 8 * aRow;
    long a9 = ao + 9 * aRow;
    long a10 = ao + 10 * aRow;
    long a11 = ao + 11 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(S, b, bo, LE);
      c0 = broadcast(S, a.get(FLOAT, ao + at)).fma(y, c0);
      c1 = broadcast(S, a.get(FLOAT, a1 + at)).fma(y, c1);
      c2 = broadcast(S, a.get(FLOAT, a2 + at)).fma(y, c2);
      c3 = broadcast(S, a.get(FLOAT, a3 + at)).fma(y, c3);
      c4 = broadcast(S, a.get(FLOAT, a4 + at)).fma(y, c4);
      c5 = broadcast(S, a.get(FLOAT, a5 + at)).fma(y, c5);
      c6 = broadcast(S, a.get(FLOAT, a6 + at)).fma(y, c6);
      c7 = broadcast(S, a.get(FLOAT, a7 + at)).fma(y, c7);
      c8 = broadcast(S, a.get(FLOAT, a8 + at)).fma(y, c8);
      c9 = broadcast(S, a.get(FLOAT, a9 + at)).fma(y, c9);
      c10 = broadcast(S, a.get(FLOAT, a10 + at)).fma(y, c10);
      c11 = broadcast(S, a.get(FLOAT, a11 + at)).fma(y, c11);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
    c4.intoMemorySegment(c, co + 4 * cRow, LE);
    c5.intoMemorySegment(c, co + 5 * cRow, LE);
    c6.intoMemorySegment(c, co + 6 * cRow, LE);
    c7.intoMemorySegment(c, co + 7 * cRow, LE);
    c8.intoMemorySegment(c, co + 8 * cRow, LE);
    c9.intoMemorySegment(c, co + 9 * cRow, LE);
    c10.intoMemorySegment(c, co + 10 * cRow, LE);
    c11.intoMemorySegment(c, co + 11 * cRow, LE);
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
