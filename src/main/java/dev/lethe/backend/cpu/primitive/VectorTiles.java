package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Products on the Vector API: cuts a request into the blocks that the micro-kernels know. */
final class VectorTiles implements TilePrimitives {
  private static final int LANES = FloatVector.SPECIES_PREFERRED.length();
  private static final int BLOCK = 2 * LANES;

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
    int done = 0;
    while (done < rows) {
      int left = rows - done;
      long at = ao + done * aRow;
      long zAt = zo + done * zRow;
      long cAt = co + done * cRow;
      if (width < BLOCK) {
        int block = left >= 6 ? 6 : left >= 4 ? 4 : 1;
        narrow(block, depth, a, at, aRow, aColumn, b, bo, bRow, z, zAt, zRow, c, cAt, cRow);
        done += block;
      } else {
        int block = blockOf(left);
        for (long j = 0; j < 4L * width; j += 4L * BLOCK) {
          wide(
              block, depth, a, at, aRow, aColumn, b, bo + j, bRow, z, zAt + j, zRow, c, cAt + j,
              cRow);
        }
        done += block;
      }
    }
  }

  private static int blockOf(int rows) {
    return rows == 8 ? 4 : rows >= 6 ? 6 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
  }

  private static void wide(
      int rows,
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
    switch (rows) {
      case 6 ->
          MicroKernels.rows6(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
      case 4 ->
          MicroKernels.rows4(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
      case 2 ->
          MicroKernels.rows2(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
      default ->
          MicroKernels.rows1(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
    }
  }

  private static void narrow(
      int rows,
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
    switch (rows) {
      case 6 ->
          NarrowMicroKernels.rows6(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
      case 4 ->
          NarrowMicroKernels.rows4(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
      default ->
          NarrowMicroKernels.rows1(
              depth, a, ao, aRow, aColumn, b, bo, bRow, z, zo, zRow, c, co, cRow);
    }
  }
}
