package dev.lethe.backend.cpu;

import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The innermost loops of all large products: C = Z + A·B for a block of 12 or 8 rows and two vectors of
 * columns. 12 rows are 24 accumulators, which with two vectors of B and one broadcast element of A just
 * fit the 32 registers of a 512-bit machine; a step over k is 24 independent fused multiply-adds, enough
 * to hide their latency. The accumulators are named variables because the compiler keeps only those in
 * registers. Arguments as in {@link TilePrimitives#multiplyAdd}.
 */
final class MicroKernels {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final long WIDTH = S.vectorByteSize();
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private MicroKernels() {}

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
    FloatVector d0 = fromMemorySegment(S, z, zo + WIDTH, LE);
    FloatVector c1 = fromMemorySegment(S, z, zo + zRow, LE);
    FloatVector d1 = fromMemorySegment(S, z, zo + zRow + WIDTH, LE);
    FloatVector c2 = fromMemorySegment(S, z, zo + 2 * zRow, LE);
    FloatVector d2 = fromMemorySegment(S, z, zo + 2 * zRow + WIDTH, LE);
    FloatVector c3 = fromMemorySegment(S, z, zo + 3 * zRow, LE);
    FloatVector d3 = fromMemorySegment(S, z, zo + 3 * zRow + WIDTH, LE);
    FloatVector c4 = fromMemorySegment(S, z, zo + 4 * zRow, LE);
    FloatVector d4 = fromMemorySegment(S, z, zo + 4 * zRow + WIDTH, LE);
    FloatVector c5 = fromMemorySegment(S, z, zo + 5 * zRow, LE);
    FloatVector d5 = fromMemorySegment(S, z, zo + 5 * zRow + WIDTH, LE);
    FloatVector c6 = fromMemorySegment(S, z, zo + 6 * zRow, LE);
    FloatVector d6 = fromMemorySegment(S, z, zo + 6 * zRow + WIDTH, LE);
    FloatVector c7 = fromMemorySegment(S, z, zo + 7 * zRow, LE);
    FloatVector d7 = fromMemorySegment(S, z, zo + 7 * zRow + WIDTH, LE);
    FloatVector c8 = fromMemorySegment(S, z, zo + 8 * zRow, LE);
    FloatVector d8 = fromMemorySegment(S, z, zo + 8 * zRow + WIDTH, LE);
    FloatVector c9 = fromMemorySegment(S, z, zo + 9 * zRow, LE);
    FloatVector d9 = fromMemorySegment(S, z, zo + 9 * zRow + WIDTH, LE);
    FloatVector c10 = fromMemorySegment(S, z, zo + 10 * zRow, LE);
    FloatVector d10 = fromMemorySegment(S, z, zo + 10 * zRow + WIDTH, LE);
    FloatVector c11 = fromMemorySegment(S, z, zo + 11 * zRow, LE);
    FloatVector d11 = fromMemorySegment(S, z, zo + 11 * zRow + WIDTH, LE);
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
      FloatVector b0 = fromMemorySegment(S, b, bo, LE);
      FloatVector b1 = fromMemorySegment(S, b, bo + WIDTH, LE);
      FloatVector x = broadcast(S, a.get(FLOAT, ao + at));
      c0 = x.fma(b0, c0);
      d0 = x.fma(b1, d0);
      x = broadcast(S, a.get(FLOAT, a1 + at));
      c1 = x.fma(b0, c1);
      d1 = x.fma(b1, d1);
      x = broadcast(S, a.get(FLOAT, a2 + at));
      c2 = x.fma(b0, c2);
      d2 = x.fma(b1, d2);
      x = broadcast(S, a.get(FLOAT, a3 + at));
      c3 = x.fma(b0, c3);
      d3 = x.fma(b1, d3);
      x = broadcast(S, a.get(FLOAT, a4 + at));
      c4 = x.fma(b0, c4);
      d4 = x.fma(b1, d4);
      x = broadcast(S, a.get(FLOAT, a5 + at));
      c5 = x.fma(b0, c5);
      d5 = x.fma(b1, d5);
      x = broadcast(S, a.get(FLOAT, a6 + at));
      c6 = x.fma(b0, c6);
      d6 = x.fma(b1, d6);
      x = broadcast(S, a.get(FLOAT, a7 + at));
      c7 = x.fma(b0, c7);
      d7 = x.fma(b1, d7);
      x = broadcast(S, a.get(FLOAT, a8 + at));
      c8 = x.fma(b0, c8);
      d8 = x.fma(b1, d8);
      x = broadcast(S, a.get(FLOAT, a9 + at));
      c9 = x.fma(b0, c9);
      d9 = x.fma(b1, d9);
      x = broadcast(S, a.get(FLOAT, a10 + at));
      c10 = x.fma(b0, c10);
      d10 = x.fma(b1, d10);
      x = broadcast(S, a.get(FLOAT, a11 + at));
      c11 = x.fma(b0, c11);
      d11 = x.fma(b1, d11);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    d0.intoMemorySegment(c, co + WIDTH, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    d1.intoMemorySegment(c, co + cRow + WIDTH, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    d2.intoMemorySegment(c, co + 2 * cRow + WIDTH, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
    d3.intoMemorySegment(c, co + 3 * cRow + WIDTH, LE);
    c4.intoMemorySegment(c, co + 4 * cRow, LE);
    d4.intoMemorySegment(c, co + 4 * cRow + WIDTH, LE);
    c5.intoMemorySegment(c, co + 5 * cRow, LE);
    d5.intoMemorySegment(c, co + 5 * cRow + WIDTH, LE);
    c6.intoMemorySegment(c, co + 6 * cRow, LE);
    d6.intoMemorySegment(c, co + 6 * cRow + WIDTH, LE);
    c7.intoMemorySegment(c, co + 7 * cRow, LE);
    d7.intoMemorySegment(c, co + 7 * cRow + WIDTH, LE);
    c8.intoMemorySegment(c, co + 8 * cRow, LE);
    d8.intoMemorySegment(c, co + 8 * cRow + WIDTH, LE);
    c9.intoMemorySegment(c, co + 9 * cRow, LE);
    d9.intoMemorySegment(c, co + 9 * cRow + WIDTH, LE);
    c10.intoMemorySegment(c, co + 10 * cRow, LE);
    d10.intoMemorySegment(c, co + 10 * cRow + WIDTH, LE);
    c11.intoMemorySegment(c, co + 11 * cRow, LE);
    d11.intoMemorySegment(c, co + 11 * cRow + WIDTH, LE);
  }

  static void rows8(
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
    FloatVector d0 = fromMemorySegment(S, z, zo + WIDTH, LE);
    FloatVector c1 = fromMemorySegment(S, z, zo + zRow, LE);
    FloatVector d1 = fromMemorySegment(S, z, zo + zRow + WIDTH, LE);
    FloatVector c2 = fromMemorySegment(S, z, zo + 2 * zRow, LE);
    FloatVector d2 = fromMemorySegment(S, z, zo + 2 * zRow + WIDTH, LE);
    FloatVector c3 = fromMemorySegment(S, z, zo + 3 * zRow, LE);
    FloatVector d3 = fromMemorySegment(S, z, zo + 3 * zRow + WIDTH, LE);
    FloatVector c4 = fromMemorySegment(S, z, zo + 4 * zRow, LE);
    FloatVector d4 = fromMemorySegment(S, z, zo + 4 * zRow + WIDTH, LE);
    FloatVector c5 = fromMemorySegment(S, z, zo + 5 * zRow, LE);
    FloatVector d5 = fromMemorySegment(S, z, zo + 5 * zRow + WIDTH, LE);
    FloatVector c6 = fromMemorySegment(S, z, zo + 6 * zRow, LE);
    FloatVector d6 = fromMemorySegment(S, z, zo + 6 * zRow + WIDTH, LE);
    FloatVector c7 = fromMemorySegment(S, z, zo + 7 * zRow, LE);
    FloatVector d7 = fromMemorySegment(S, z, zo + 7 * zRow + WIDTH, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    long a4 = ao + 4 * aRow;
    long a5 = ao + 5 * aRow;
    long a6 = ao + 6 * aRow;
    long a7 = ao + 7 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector b0 = fromMemorySegment(S, b, bo, LE);
      FloatVector b1 = fromMemorySegment(S, b, bo + WIDTH, LE);
      FloatVector x = broadcast(S, a.get(FLOAT, ao + at));
      c0 = x.fma(b0, c0);
      d0 = x.fma(b1, d0);
      x = broadcast(S, a.get(FLOAT, a1 + at));
      c1 = x.fma(b0, c1);
      d1 = x.fma(b1, d1);
      x = broadcast(S, a.get(FLOAT, a2 + at));
      c2 = x.fma(b0, c2);
      d2 = x.fma(b1, d2);
      x = broadcast(S, a.get(FLOAT, a3 + at));
      c3 = x.fma(b0, c3);
      d3 = x.fma(b1, d3);
      x = broadcast(S, a.get(FLOAT, a4 + at));
      c4 = x.fma(b0, c4);
      d4 = x.fma(b1, d4);
      x = broadcast(S, a.get(FLOAT, a5 + at));
      c5 = x.fma(b0, c5);
      d5 = x.fma(b1, d5);
      x = broadcast(S, a.get(FLOAT, a6 + at));
      c6 = x.fma(b0, c6);
      d6 = x.fma(b1, d6);
      x = broadcast(S, a.get(FLOAT, a7 + at));
      c7 = x.fma(b0, c7);
      d7 = x.fma(b1, d7);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    d0.intoMemorySegment(c, co + WIDTH, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    d1.intoMemorySegment(c, co + cRow + WIDTH, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    d2.intoMemorySegment(c, co + 2 * cRow + WIDTH, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
    d3.intoMemorySegment(c, co + 3 * cRow + WIDTH, LE);
    c4.intoMemorySegment(c, co + 4 * cRow, LE);
    d4.intoMemorySegment(c, co + 4 * cRow + WIDTH, LE);
    c5.intoMemorySegment(c, co + 5 * cRow, LE);
    d5.intoMemorySegment(c, co + 5 * cRow + WIDTH, LE);
    c6.intoMemorySegment(c, co + 6 * cRow, LE);
    d6.intoMemorySegment(c, co + 6 * cRow + WIDTH, LE);
    c7.intoMemorySegment(c, co + 7 * cRow, LE);
    d7.intoMemorySegment(c, co + 7 * cRow + WIDTH, LE);
  }
}
