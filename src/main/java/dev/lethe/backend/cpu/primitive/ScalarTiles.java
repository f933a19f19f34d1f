package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.ScalarMath.fma;

import java.lang.foreign.MemorySegment;

/**
 * Products in plain Java: one row of C at a time in an array, whose inner loop the compiler turns
 * into vector instructions by itself.
 */
final class ScalarTiles implements TilePrimitives {
  @Override
  public void multiplyAdd(
      int rows,
      int width,
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
    float[] sums = new float[width];
    for (int i = 0; i < rows; i++) {
      load(z, zo + i * zRow, sums);
      for (int k = 0; k < depth; k++) {
        float x = a.get(FLOAT, ao + i * aRow + k * aColumn);
        long row = bo + k * bRow;
        for (int j = 0; j < sums.length; j++) {
          sums[j] = fma(x, b.get(FLOAT, row + 4L * j), sums[j]);
        }
      }
      store(sums, c, co + i * cRow);
    }
  }

  private static void load(MemorySegment s, long offset, float[] values) {
    for (int j = 0; j < values.length; j++) {
      values[j] = s.get(FLOAT, offset + 4L * j);
    }
  }

  private static void store(float[] values, MemorySegment s, long offset) {
    for (int j = 0; j < values.length; j++) {
      s.set(FLOAT, offset + 4L * j, values[j]);
    }
  }
}
