package dev.lethe.backend.cpu.primitive;

import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The innermost loops of all large products: C = Z + A·B for a few rows and two vectors of
 * columns. Six rows are 12 accumulators, which with two vectors of B and one broadcast element of
 * A just fit 16 registers; a step over k is 12 independent fused multiply-adds, enough to hide
 * their latency. The accumulators are named variables because the compiler keeps only those in
 * registers. More rows would fit a 512-bit machine but gain nothing there, and the virtual
 * machine's first compiler cannot compile methods of such size with profiling, which can keep them
 * from its second for good. Arguments as in {@link TilePrimitives#multiplyAdd}.
 */
final class MicroKernels {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final long WIDTH = S.vectorByteSize();
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private MicroKernels() {}

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
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    long a4 = ao + 4 * aRow;
    long a5 = ao + 5 * aRow;
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
    FloatVector d0 = fromMemorySegment(S, z, zo + WIDTH, LE);
    FloatVector c1 = fromMemorySegment(S, z, zo + zRow, LE);
    FloatVector d1 = fromMemorySegment(S, z, zo + zRow + WIDTH, LE);
    FloatVector c2 = fromMemorySegment(S, z, zo + 2 * zRow, LE);
    FloatVector d2 = fromMemorySegment(S, z, zo + 2 * zRow + WIDTH, LE);
    FloatVector c3 = fromMemorySegment(S, z, zo + 3 * zRow, LE);
    FloatVector d3 = fromMemorySegment(S, z, zo + 3 * zRow + WIDTH, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
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
  }

  static void rows2(
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
    long a1 = ao + aRow;
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
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    d0.intoMemorySegment(c, co + WIDTH, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    d1.intoMemorySegment(c, co + cRow + WIDTH, LE);
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
    FloatVector d0 = fromMemorySegment(S, z, zo + WIDTH, LE);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector b0 = fromMemorySegment(S, b, bo, LE);
      FloatVector b1 = fromMemorySegment(S, b, bo + WIDTH, LE);
      FloatVector x = broadcast(S, a.get(FLOAT, ao + at));
      c0 = x.fma(b0, c0);
      d0 = x.fma(b1, d0);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    d0.intoMemorySegment(c, co + WIDTH, LE);
  }
}
