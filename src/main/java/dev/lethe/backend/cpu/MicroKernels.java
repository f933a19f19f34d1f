package dev.lethe.backend.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final long WIDTH = SPECIES.vectorByteSize();
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
    FloatVector c0 = load(z, zo);
    FloatVector d0 = load(z, zo + WIDTH);
    FloatVector c1 = load(z, zo + zRow);
    FloatVector d1 = load(z, zo + zRow + WIDTH);
    FloatVector c2 = load(z, zo + 2 * zRow);
    FloatVector d2 = load(z, zo + 2 * zRow + WIDTH);
    FloatVector c3 = load(z, zo + 3 * zRow);
    FloatVector d3 = load(z, zo + 3 * zRow + WIDTH);
    FloatVector c4 = load(z, zo + 4 * zRow);
    FloatVector d4 = load(z, zo + 4 * zRow + WIDTH);
    FloatVector c5 = load(z, zo + 5 * zRow);
    FloatVector d5 = load(z, zo + 5 * zRow + WIDTH);
    FloatVector c6 = load(z, zo + 6 * zRow);
    FloatVector d6 = load(z, zo + 6 * zRow + WIDTH);
    FloatVector c7 = load(z, zo + 7 * zRow);
    FloatVector d7 = load(z, zo + 7 * zRow + WIDTH);
    FloatVector c8 = load(z, zo + 8 * zRow);
    FloatVector d8 = load(z, zo + 8 * zRow + WIDTH);
    FloatVector c9 = load(z, zo + 9 * zRow);
    FloatVector d9 = load(z, zo + 9 * zRow + WIDTH);
    FloatVector c10 = load(z, zo + 10 * zRow);
    FloatVector d10 = load(z, zo + 10 * zRow + WIDTH);
    FloatVector c11 = load(z, zo + 11 * zRow);
    FloatVector d11 = load(z, zo + 11 * zRow + WIDTH);
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
      FloatVector b0 = load(b, bo);
      FloatVector b1 = load(b, bo + WIDTH);
      FloatVector x = spread(a, ao + at);
      c0 = x.fma(b0, c0);
      d0 = x.fma(b1, d0);
      x = spread(a, a1 + at);
      c1 = x.fma(b0, c1);
      d1 = x.fma(b1, d1);
      x = spread(a, a2 + at);
      c2 = x.fma(b0, c2);
      d2 = x.fma(b1, d2);
      x = spread(a, a3 + at);
      c3 = x.fma(b0, c3);
      d3 = x.fma(b1, d3);
      x = spread(a, a4 + at);
      c4 = x.fma(b0, c4);
      d4 = x.fma(b1, d4);
      x = spread(a, a5 + at);
      c5 = x.fma(b0, c5);
      d5 = x.fma(b1, d5);
      x = spread(a, a6 + at);
      c6 = x.fma(b0, c6);
      d6 = x.fma(b1, d6);
      x = spread(a, a7 + at);
      c7 = x.fma(b0, c7);
      d7 = x.fma(b1, d7);
      x = spread(a, a8 + at);
      c8 = x.fma(b0, c8);
      d8 = x.fma(b1, d8);
      x = spread(a, a9 + at);
      c9 = x.fma(b0, c9);
      d9 = x.fma(b1, d9);
      x = spread(a, a10 + at);
      c10 = x.fma(b0, c10);
      d10 = x.fma(b1, d10);
      x = spread(a, a11 + at);
      c11 = x.fma(b0, c11);
      d11 = x.fma(b1, d11);
      bo += bRow;
    }
    store(c0, c, co);
    store(d0, c, co + WIDTH);
    store(c1, c, co + cRow);
    store(d1, c, co + cRow + WIDTH);
    store(c2, c, co + 2 * cRow);
    store(d2, c, co + 2 * cRow + WIDTH);
    store(c3, c, co + 3 * cRow);
    store(d3, c, co + 3 * cRow + WIDTH);
    store(c4, c, co + 4 * cRow);
    store(d4, c, co + 4 * cRow + WIDTH);
    store(c5, c, co + 5 * cRow);
    store(d5, c, co + 5 * cRow + WIDTH);
    store(c6, c, co + 6 * cRow);
    store(d6, c, co + 6 * cRow + WIDTH);
    store(c7, c, co + 7 * cRow);
    store(d7, c, co + 7 * cRow + WIDTH);
    store(c8, c, co + 8 * cRow);
    store(d8, c, co + 8 * cRow + WIDTH);
    store(c9, c, co + 9 * cRow);
    store(d9, c, co + 9 * cRow + WIDTH);
    store(c10, c, co + 10 * cRow);
    store(d10, c, co + 10 * cRow + WIDTH);
    store(c11, c, co + 11 * cRow);
    store(d11, c, co + 11 * cRow + WIDTH);
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
    FloatVector c0 = load(z, zo);
    FloatVector d0 = load(z, zo + WIDTH);
    FloatVector c1 = load(z, zo + zRow);
    FloatVector d1 = load(z, zo + zRow + WIDTH);
    FloatVector c2 = load(z, zo + 2 * zRow);
    FloatVector d2 = load(z, zo + 2 * zRow + WIDTH);
    FloatVector c3 = load(z, zo + 3 * zRow);
    FloatVector d3 = load(z, zo + 3 * zRow + WIDTH);
    FloatVector c4 = load(z, zo + 4 * zRow);
    FloatVector d4 = load(z, zo + 4 * zRow + WIDTH);
    FloatVector c5 = load(z, zo + 5 * zRow);
    FloatVector d5 = load(z, zo + 5 * zRow + WIDTH);
    FloatVector c6 = load(z, zo + 6 * zRow);
    FloatVector d6 = load(z, zo + 6 * zRow + WIDTH);
    FloatVector c7 = load(z, zo + 7 * zRow);
    FloatVector d7 = load(z, zo + 7 * zRow + WIDTH);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    long a4 = ao + 4 * aRow;
    long a5 = ao + 5 * aRow;
    long a6 = ao + 6 * aRow;
    long a7 = ao + 7 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector b0 = load(b, bo);
      FloatVector b1 = load(b, bo + WIDTH);
      FloatVector x = spread(a, ao + at);
      c0 = x.fma(b0, c0);
      d0 = x.fma(b1, d0);
      x = spread(a, a1 + at);
      c1 = x.fma(b0, c1);
      d1 = x.fma(b1, d1);
      x = spread(a, a2 + at);
      c2 = x.fma(b0, c2);
      d2 = x.fma(b1, d2);
      x = spread(a, a3 + at);
      c3 = x.fma(b0, c3);
      d3 = x.fma(b1, d3);
      x = spread(a, a4 + at);
      c4 = x.fma(b0, c4);
      d4 = x.fma(b1, d4);
      x = spread(a, a5 + at);
      c5 = x.fma(b0, c5);
      d5 = x.fma(b1, d5);
      x = spread(a, a6 + at);
      c6 = x.fma(b0, c6);
      d6 = x.fma(b1, d6);
      x = spread(a, a7 + at);
      c7 = x.fma(b0, c7);
      d7 = x.fma(b1, d7);
      bo += bRow;
    }
    store(c0, c, co);
    store(d0, c, co + WIDTH);
    store(c1, c, co + cRow);
    store(d1, c, co + cRow + WIDTH);
    store(c2, c, co + 2 * cRow);
    store(d2, c, co + 2 * cRow + WIDTH);
    store(c3, c, co + 3 * cRow);
    store(d3, c, co + 3 * cRow + WIDTH);
    store(c4, c, co + 4 * cRow);
    store(d4, c, co + 4 * cRow + WIDTH);
    store(c5, c, co + 5 * cRow);
    store(d5, c, co + 5 * cRow + WIDTH);
    store(c6, c, co + 6 * cRow);
    store(d6, c, co + 6 * cRow + WIDTH);
    store(c7, c, co + 7 * cRow);
    store(d7, c, co + 7 * cRow + WIDTH);
  }

  private static FloatVector load(MemorySegment s, long offset) {
    return FloatVector.fromMemorySegment(SPECIES, s, offset, LITTLE_ENDIAN);
  }

  private static FloatVector spread(MemorySegment s, long offset) {
    return FloatVector.broadcast(SPECIES, s.get(FLOAT, offset));
  }

  private static void store(FloatVector v, MemorySegment s, long offset) {
    v.intoMemorySegment(s, offset, LITTLE_ENDIAN);
  }
}
