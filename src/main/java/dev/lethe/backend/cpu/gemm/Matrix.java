package dev.lethe.backend.cpu.gemm;

import java.lang.foreign.MemorySegment;

/**
 * A matrix of floats in memory; offset and strides in bytes.
 *
 * @param rowStride from an element to the one below it; 0 repeats one row
 * @param columnStride from an element to the one right of it
 */
public record Matrix(MemorySegment segment, long offset, long rowStride, long columnStride) {
  /** Rows of {@code columns} floats, one after another. */
  public static Matrix rows(MemorySegment segment, long offset, long columns) {
    return new Matrix(segment, offset, 4 * columns, 4);
  }

  /** Rows of {@code columns} floats from the beginning of a segment. */
  public static Matrix rows(MemorySegment segment, long columns) {
    return rows(segment, 0, columns);
  }

  public Matrix transposed() {
    return new Matrix(segment, offset, columnStride, rowStride);
  }

  /** The same from another row on. */
  public Matrix fromRow(long row) {
    return new Matrix(segment, at(row, 0), rowStride, columnStride);
  }

  public long at(long row, long column) {
    return offset + row * rowStride + column * columnStride;
  }
}
