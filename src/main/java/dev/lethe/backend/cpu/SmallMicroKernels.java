package dev.lethe.backend.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * As {@link MicroKernels}, for fewer rows: 6 is the largest block that fits 16 registers of 256 bits,
 * the others are remainders.
 */
final class SmallMicroKernels {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final long WIDTH = SPECIES.vectorByteSize();
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private SmallMicroKernels() {}

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
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    long a4 = ao + 4 * aRow;
    long a5 = ao + 5 * aRow;
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
    FloatVector c0 = load(z, zo);
    FloatVector d0 = load(z, zo + WIDTH);
    FloatVector c1 = load(z, zo + zRow);
    FloatVector d1 = load(z, zo + zRow + WIDTH);
    FloatVector c2 = load(z, zo + 2 * zRow);
    FloatVector d2 = load(z, zo + 2 * zRow + WIDTH);
    FloatVector c3 = load(z, zo + 3 * zRow);
    FloatVector d3 = load(z, zo + 3 * zRow + WIDTH);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
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
    FloatVector c0 = load(z, zo);
    FloatVector d0 = load(z, zo + WIDTH);
    FloatVector c1 = load(z, zo + zRow);
    FloatVector d1 = load(z, zo + zRow + WIDTH);
    long a1 = ao + aRow;
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
      bo += bRow;
    }
    store(c0, c, co);
    store(d0, c, co + WIDTH);
    store(c1, c, co + cRow);
    store(d1, c, co + cRow + WIDTH);
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
    FloatVector c0 = load(z, zo);
    FloatVector d0 = load(z, zo + WIDTH);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector b0 = load(b, bo);
      FloatVector b1 = load(b, bo + WIDTH);
      FloatVector x = spread(a, ao + at);
      c0 = x.fma(b0, c0);
      d0 = x.fma(b1, d0);
      bo += bRow;
    }
    store(c0, c, co);
    store(d0, c, co + WIDTH);
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
