package dev.lethe.backend.cpu;

import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static jdk.incubator.vector.VectorOperators.FMA;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * As {@link MicroKernels}, for products with 16 or 8 columns, such as those with a low-rank factor: one
 * vector of columns, preferred or half size. They call {@code lanewise(FMA, …)} where the others call
 * {@code fma}: the compiler learns the class of a vector from the calls that it has seen, and two sizes
 * of vector passing through the library's one {@code fma} would keep both from its registers.
 */
final class NarrowMicroKernels {
  private static final VectorSpecies<Float> FULL = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> HALF =
      VectorSpecies.of(float.class, VectorShape.forBitSize(FULL.vectorBitSize() / 2));
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
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
    FloatVector c0 = fromMemorySegment(FULL, z, zo, LE);
    FloatVector c1 = fromMemorySegment(FULL, z, zo + zRow, LE);
    FloatVector c2 = fromMemorySegment(FULL, z, zo + 2 * zRow, LE);
    FloatVector c3 = fromMemorySegment(FULL, z, zo + 3 * zRow, LE);
    FloatVector c4 = fromMemorySegment(FULL, z, zo + 4 * zRow, LE);
    FloatVector c5 = fromMemorySegment(FULL, z, zo + 5 * zRow, LE);
    FloatVector c6 = fromMemorySegment(FULL, z, zo + 6 * zRow, LE);
    FloatVector c7 = fromMemorySegment(FULL, z, zo + 7 * zRow, LE);
    FloatVector c8 = fromMemorySegment(FULL, z, zo + 8 * zRow, LE);
    FloatVector c9 = fromMemorySegment(FULL, z, zo + 9 * zRow, LE);
    FloatVector c10 = fromMemorySegment(FULL, z, zo + 10 * zRow, LE);
    FloatVector c11 = fromMemorySegment(FULL, z, zo + 11 * zRow, LE);
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
      FloatVector y = fromMemorySegment(FULL, b, bo, LE);
      c0 = broadcast(FULL, a.get(FLOAT, ao + at)).lanewise(FMA, y, c0);
      c1 = broadcast(FULL, a.get(FLOAT, a1 + at)).lanewise(FMA, y, c1);
      c2 = broadcast(FULL, a.get(FLOAT, a2 + at)).lanewise(FMA, y, c2);
      c3 = broadcast(FULL, a.get(FLOAT, a3 + at)).lanewise(FMA, y, c3);
      c4 = broadcast(FULL, a.get(FLOAT, a4 + at)).lanewise(FMA, y, c4);
      c5 = broadcast(FULL, a.get(FLOAT, a5 + at)).lanewise(FMA, y, c5);
      c6 = broadcast(FULL, a.get(FLOAT, a6 + at)).lanewise(FMA, y, c6);
      c7 = broadcast(FULL, a.get(FLOAT, a7 + at)).lanewise(FMA, y, c7);
      c8 = broadcast(FULL, a.get(FLOAT, a8 + at)).lanewise(FMA, y, c8);
      c9 = broadcast(FULL, a.get(FLOAT, a9 + at)).lanewise(FMA, y, c9);
      c10 = broadcast(FULL, a.get(FLOAT, a10 + at)).lanewise(FMA, y, c10);
      c11 = broadcast(FULL, a.get(FLOAT, a11 + at)).lanewise(FMA, y, c11);
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
    FloatVector c0 = fromMemorySegment(FULL, z, zo, LE);
    FloatVector c1 = fromMemorySegment(FULL, z, zo + zRow, LE);
    FloatVector c2 = fromMemorySegment(FULL, z, zo + 2 * zRow, LE);
    FloatVector c3 = fromMemorySegment(FULL, z, zo + 3 * zRow, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(FULL, b, bo, LE);
      c0 = broadcast(FULL, a.get(FLOAT, ao + at)).lanewise(FMA, y, c0);
      c1 = broadcast(FULL, a.get(FLOAT, a1 + at)).lanewise(FMA, y, c1);
      c2 = broadcast(FULL, a.get(FLOAT, a2 + at)).lanewise(FMA, y, c2);
      c3 = broadcast(FULL, a.get(FLOAT, a3 + at)).lanewise(FMA, y, c3);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
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
    FloatVector c0 = fromMemorySegment(FULL, z, zo, LE);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(FULL, b, bo, LE);
      c0 = broadcast(FULL, a.get(FLOAT, ao + at)).lanewise(FMA, y, c0);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
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
    FloatVector c0 = fromMemorySegment(HALF, z, zo, LE);
    FloatVector c1 = fromMemorySegment(HALF, z, zo + zRow, LE);
    FloatVector c2 = fromMemorySegment(HALF, z, zo + 2 * zRow, LE);
    FloatVector c3 = fromMemorySegment(HALF, z, zo + 3 * zRow, LE);
    FloatVector c4 = fromMemorySegment(HALF, z, zo + 4 * zRow, LE);
    FloatVector c5 = fromMemorySegment(HALF, z, zo + 5 * zRow, LE);
    FloatVector c6 = fromMemorySegment(HALF, z, zo + 6 * zRow, LE);
    FloatVector c7 = fromMemorySegment(HALF, z, zo + 7 * zRow, LE);
    FloatVector c8 = fromMemorySegment(HALF, z, zo + 8 * zRow, LE);
    FloatVector c9 = fromMemorySegment(HALF, z, zo + 9 * zRow, LE);
    FloatVector c10 = fromMemorySegment(HALF, z, zo + 10 * zRow, LE);
    FloatVector c11 = fromMemorySegment(HALF, z, zo + 11 * zRow, LE);
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
      FloatVector y = fromMemorySegment(HALF, b, bo, LE);
      c0 = broadcast(HALF, a.get(FLOAT, ao + at)).lanewise(FMA, y, c0);
      c1 = broadcast(HALF, a.get(FLOAT, a1 + at)).lanewise(FMA, y, c1);
      c2 = broadcast(HALF, a.get(FLOAT, a2 + at)).lanewise(FMA, y, c2);
      c3 = broadcast(HALF, a.get(FLOAT, a3 + at)).lanewise(FMA, y, c3);
      c4 = broadcast(HALF, a.get(FLOAT, a4 + at)).lanewise(FMA, y, c4);
      c5 = broadcast(HALF, a.get(FLOAT, a5 + at)).lanewise(FMA, y, c5);
      c6 = broadcast(HALF, a.get(FLOAT, a6 + at)).lanewise(FMA, y, c6);
      c7 = broadcast(HALF, a.get(FLOAT, a7 + at)).lanewise(FMA, y, c7);
      c8 = broadcast(HALF, a.get(FLOAT, a8 + at)).lanewise(FMA, y, c8);
      c9 = broadcast(HALF, a.get(FLOAT, a9 + at)).lanewise(FMA, y, c9);
      c10 = broadcast(HALF, a.get(FLOAT, a10 + at)).lanewise(FMA, y, c10);
      c11 = broadcast(HALF, a.get(FLOAT, a11 + at)).lanewise(FMA, y, c11);
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
    FloatVector c0 = fromMemorySegment(HALF, z, zo, LE);
    FloatVector c1 = fromMemorySegment(HALF, z, zo + zRow, LE);
    FloatVector c2 = fromMemorySegment(HALF, z, zo + 2 * zRow, LE);
    FloatVector c3 = fromMemorySegment(HALF, z, zo + 3 * zRow, LE);
    long a1 = ao + aRow;
    long a2 = ao + 2 * aRow;
    long a3 = ao + 3 * aRow;
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(HALF, b, bo, LE);
      c0 = broadcast(HALF, a.get(FLOAT, ao + at)).lanewise(FMA, y, c0);
      c1 = broadcast(HALF, a.get(FLOAT, a1 + at)).lanewise(FMA, y, c1);
      c2 = broadcast(HALF, a.get(FLOAT, a2 + at)).lanewise(FMA, y, c2);
      c3 = broadcast(HALF, a.get(FLOAT, a3 + at)).lanewise(FMA, y, c3);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
    c1.intoMemorySegment(c, co + cRow, LE);
    c2.intoMemorySegment(c, co + 2 * cRow, LE);
    c3.intoMemorySegment(c, co + 3 * cRow, LE);
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
    FloatVector c0 = fromMemorySegment(HALF, z, zo, LE);
    for (int k = 0; k < depth; k++) {
      long at = k * aColumn;
      FloatVector y = fromMemorySegment(HALF, b, bo, LE);
      c0 = broadcast(HALF, a.get(FLOAT, ao + at)).lanewise(FMA, y, c0);
      bo += bRow;
    }
    c0.intoMemorySegment(c, co, LE);
  }
}
