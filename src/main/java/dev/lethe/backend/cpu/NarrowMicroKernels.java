package dev.lethe.backend.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * As {@link MicroKernels}, for products with 16 or 8 columns, such as those with a low-rank factor: one
 * vector of columns, preferred or half size.
 */
final class NarrowMicroKernels {
  private static final VectorSpecies<Float> FULL = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> HALF =
      VectorSpecies.of(float.class, VectorShape.forBitSize(FULL.vectorBitSize() / 2));
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private NarrowMicroKernels() {}

  static void full12(
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
    FloatVector c0 = full(z, zo);
    FloatVector c1 = full(z, zo + zRow);
    FloatVector c2 = full(z, zo + 2 * zRow);
    FloatVector c3 = full(z, zo + 3 * zRow);
    FloatVector c4 = full(z, zo + 4 * zRow);
    FloatVector c5 = full(z, zo + 5 * zRow);
    FloatVector c6 = full(z, zo + 6 * zRow);
    FloatVector c7 = full(z, zo + 7 * zRow);
    FloatVector c8 = full(z, zo + 8 * zRow);
    FloatVector c9 = full(z, zo + 9 * zRow);
    FloatVector c10 = full(z, zo + 10 * zRow);
    FloatVector c11 = full(z, zo + 11 * zRow);
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
      FloatVector y = full(b, bo);
      c0 = spreadFull(a, ao + at).fma(y, c0);
      c1 = spreadFull(a, a1 + at).fma(y, c1);
      c2 = spreadFull(a, a2 + at).fma(y, c2);
      c3 = spreadFull(a, a3 + at).fma(y, c3);
      c4 = spreadFull(a, a4 + at).fma(y, c4);
      c5 = spreadFull(a, a5 + at).fma(y, c5);
      c6 = spreadFull(a, a6 + at).fma(y, c6);
      c7 = spreadFull(a, a7 + at).fma(y, c7);
      c8 = spreadFull(a, a8 + at).fma(y, c8);
      c9 = spreadFull(a, a9 + at).fma(y, c9);
      c10 = spreadFull(a, a10 + at).fma(y, c10);
      c11 = spreadFull(a, a11 + at).fma(y, c11);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LITTLE_ENDIAN);
    c1.intoMemorySegment(c, co + cRow, LITTLE_ENDIAN);
    c2.intoMemorySegment(c, co + 2 * cRow, LITTLE_ENDIAN);
    c3.intoMemorySegment(c, co + 3 * cRow, LITTLE_ENDIAN);
    c4.intoMemorySegment(c, co + 4 * cRow, LITTLE_ENDIAN);
    c5.intoMemorySegment(c, co + 5 * cRow, LITTLE_ENDIAN);
    c6.intoMemorySegment(c, co + 6 * cRow, LITTLE_ENDIAN);
    c7.intoMemorySegment(c, co + 7 * cRow, LITTLE_ENDIAN);
    c8.intoMemorySegment(c, co + 8 * cRow, LITTLE_ENDIAN);
    c9.intoMemorySegment(c, co + 9 * cRow, LITTLE_ENDIAN);
    c10.intoMemorySegment(c, co + 10 * cRow, LITTLE_ENDIAN);
    c11.intoMemorySegment(c, co + 11 * cRow, LITTLE_ENDIAN);
  }

  static void full4(
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
    FloatVector c0 = full(z, zo);
    FloatVector c1 = full(z, zo + zRow);
    FloatVector c2 = full(z, zo + 2 * zRow);
    FloatVector c3 = full(z, zo + 3 * zRow);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = full(b, bo);
      c0 = spreadFull(a, ao + at).fma(y, c0);
      c1 = spreadFull(a, a1 + at).fma(y, c1);
      c2 = spreadFull(a, a2 + at).fma(y, c2);
      c3 = spreadFull(a, a3 + at).fma(y, c3);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LITTLE_ENDIAN);
    c1.intoMemorySegment(c, co + cRow, LITTLE_ENDIAN);
    c2.intoMemorySegment(c, co + 2 * cRow, LITTLE_ENDIAN);
    c3.intoMemorySegment(c, co + 3 * cRow, LITTLE_ENDIAN);
  }

  static void full1(
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
    FloatVector c0 = full(z, zo);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = full(b, bo);
      c0 = spreadFull(a, ao + at).fma(y, c0);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LITTLE_ENDIAN);
  }

  static void half12(
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
    FloatVector c0 = half(z, zo);
    FloatVector c1 = half(z, zo + zRow);
    FloatVector c2 = half(z, zo + 2 * zRow);
    FloatVector c3 = half(z, zo + 3 * zRow);
    FloatVector c4 = half(z, zo + 4 * zRow);
    FloatVector c5 = half(z, zo + 5 * zRow);
    FloatVector c6 = half(z, zo + 6 * zRow);
    FloatVector c7 = half(z, zo + 7 * zRow);
    FloatVector c8 = half(z, zo + 8 * zRow);
    FloatVector c9 = half(z, zo + 9 * zRow);
    FloatVector c10 = half(z, zo + 10 * zRow);
    FloatVector c11 = half(z, zo + 11 * zRow);
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
      FloatVector y = half(b, bo);
      c0 = spreadHalf(a, ao + at).fma(y, c0);
      c1 = spreadHalf(a, a1 + at).fma(y, c1);
      c2 = spreadHalf(a, a2 + at).fma(y, c2);
      c3 = spreadHalf(a, a3 + at).fma(y, c3);
      c4 = spreadHalf(a, a4 + at).fma(y, c4);
      c5 = spreadHalf(a, a5 + at).fma(y, c5);
      c6 = spreadHalf(a, a6 + at).fma(y, c6);
      c7 = spreadHalf(a, a7 + at).fma(y, c7);
      c8 = spreadHalf(a, a8 + at).fma(y, c8);
      c9 = spreadHalf(a, a9 + at).fma(y, c9);
      c10 = spreadHalf(a, a10 + at).fma(y, c10);
      c11 = spreadHalf(a, a11 + at).fma(y, c11);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LITTLE_ENDIAN);
    c1.intoMemorySegment(c, co + cRow, LITTLE_ENDIAN);
    c2.intoMemorySegment(c, co + 2 * cRow, LITTLE_ENDIAN);
    c3.intoMemorySegment(c, co + 3 * cRow, LITTLE_ENDIAN);
    c4.intoMemorySegment(c, co + 4 * cRow, LITTLE_ENDIAN);
    c5.intoMemorySegment(c, co + 5 * cRow, LITTLE_ENDIAN);
    c6.intoMemorySegment(c, co + 6 * cRow, LITTLE_ENDIAN);
    c7.intoMemorySegment(c, co + 7 * cRow, LITTLE_ENDIAN);
    c8.intoMemorySegment(c, co + 8 * cRow, LITTLE_ENDIAN);
    c9.intoMemorySegment(c, co + 9 * cRow, LITTLE_ENDIAN);
    c10.intoMemorySegment(c, co + 10 * cRow, LITTLE_ENDIAN);
    c11.intoMemorySegment(c, co + 11 * cRow, LITTLE_ENDIAN);
  }

  static void half4(
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
    FloatVector c0 = half(z, zo);
    FloatVector c1 = half(z, zo + zRow);
    FloatVector c2 = half(z, zo + 2 * zRow);
    FloatVector c3 = half(z, zo + 3 * zRow);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = half(b, bo);
      c0 = spreadHalf(a, ao + at).fma(y, c0);
      c1 = spreadHalf(a, a1 + at).fma(y, c1);
      c2 = spreadHalf(a, a2 + at).fma(y, c2);
      c3 = spreadHalf(a, a3 + at).fma(y, c3);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LITTLE_ENDIAN);
    c1.intoMemorySegment(c, co + cRow, LITTLE_ENDIAN);
    c2.intoMemorySegment(c, co + 2 * cRow, LITTLE_ENDIAN);
    c3.intoMemorySegment(c, co + 3 * cRow, LITTLE_ENDIAN);
  }

  static void half1(
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
    FloatVector c0 = half(z, zo);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = half(b, bo);
      c0 = spreadHalf(a, ao + at).fma(y, c0);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LITTLE_ENDIAN);
  }

  private static FloatVector full(MemorySegment s, long offset) {
    return FloatVector.fromMemorySegment(FULL, s, offset, LITTLE_ENDIAN);
  }

  private static FloatVector spreadFull(MemorySegment s, long offset) {
    return FloatVector.broadcast(FULL, s.get(FLOAT, offset));
  }

  private static FloatVector half(MemorySegment s, long offset) {
    return FloatVector.fromMemorySegment(HALF, s, offset, LITTLE_ENDIAN);
  }

  private static FloatVector spreadHalf(MemorySegment s, long offset) {
    return FloatVector.broadcast(HALF, s.get(FLOAT, offset));
  }
}
