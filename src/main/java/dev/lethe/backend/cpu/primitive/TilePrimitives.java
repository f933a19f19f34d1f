package dev.lethe.backend.cpu.primitive;

import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Small dense products, the base of every matrix product and of attention. Offsets and strides are
 * in bytes. All implementations sum over the depth in ascending order with one fused multiply-add
 * per term, so that a result depends neither on the implementation nor on how a product is cut
 * into tiles.
 */
public interface TilePrimitives {
  /** Columns of a full tile. */
  int WIDE = 32;

  /** Columns of the narrowest tile. */
  int NARROW = 16;

  /** An element in memory. */
  ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** A number of bfloat16 in a file. */
  ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Rows of a full tile. */
  int ROWS = 12;

  /**
   * C = Z + A·B. Elements of A stand at {@code ao + row·aRow + k·aColumn}; rows of B, Z and C are
   * contiguous. Z may be C itself; a stride of 0 repeats one row.
   *
   * @param rows any number
   * @param width {@value #WIDE} or {@value #NARROW} columns of B, Z and C
   * @param depth columns of A and rows of B
   */
  void multiplyAdd(
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
      long cRow);

  /**
   * Writes the transpose of (rows,columns), with zeros behind a row of it up to {@code padded}
   * elements.
   */
  default void transpose(
      int rows,
      int columns,
      MemorySegment from,
      long fo,
      long fRow,
      MemorySegment to,
      long offset,
      long toRow,
      int padded) {
    for (int j = 0; j < columns; j++) {
      long row = offset + j * toRow;
      for (int i = 0; i < padded; i++) {
        float value = i < rows ? from.get(FLOAT, fo + i * fRow + 4L * j) : 0;
        to.set(FLOAT, row + 4L * i, value);
      }
    }
  }

  /**
   * Writes the transpose of (rows,columns) numbers of bfloat16, at any byte, as rows of {@code padded} floats one after
   * another, with zeros behind what is there.
   *
   * @param padded at most {@link #WIDE}
   * @param readAtOnce whether the floats are read next; else they need not be in the caches
   * @return whether all numbers are finite
   */
  default boolean transposeBf16(
      int rows,
      int columns,
      MemorySegment from,
      long fo,
      long fRow,
      MemorySegment to,
      long offset,
      int padded,
      boolean readAtOnce) {
    boolean finite = true;
    for (int j = 0; j < columns; j++) {
      long row = offset + 4L * j * padded;
      for (int i = 0; i < padded; i++) {
        float value = i < rows ? DType.bf16ToFloat(from.get(HALF, fo + i * fRow + 2L * j)) : 0;
        finite &= Float.isFinite(value);
        to.set(FLOAT, row + 4L * i, value);
      }
    }
    return finite;
  }

  /**
   * Writes (rows,columns) numbers of bfloat16, at any byte, as rows of {@code padded} floats one after another, with
   * zeros behind what is there.
   */
  default void widenBf16(
      int rows, int columns, MemorySegment from, long fo, long fRow, MemorySegment to, long offset, int padded) {
    for (int i = 0; i < rows; i++) {
      long row = offset + 4L * i * padded;
      for (int j = 0; j < padded; j++) {
        float value = j < columns ? DType.bf16ToFloat(from.get(HALF, fo + i * fRow + 2L * j)) : 0;
        to.set(FLOAT, row + 4L * j, value);
      }
    }
  }

  /** Tells that rows of so many bytes are read soon; changes nothing but time. */
  default void prefetch(int rows, long bytes, MemorySegment from, long offset, long row) {}

  /** The width of the tile that covers most of this many columns. */
  static int widthOf(int columns) {
    return columns > NARROW ? WIDE : NARROW;
  }

  /** Columns filled up to whole tiles. */
  static int padded(int columns) {
    int rest = columns % WIDE;
    return columns - rest + (rest == 0 ? 0 : widthOf(rest));
  }
}
