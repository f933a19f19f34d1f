package dev.lethe.backend.cpu.gemm;

import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.tensor.BlockFormat;
import java.lang.foreign.MemorySegment;

/**
 * A frozen weight W (out,in) that stays packed in blocks; what a product reads of it is expanded into the thread's
 * scratch memory first, a panel at a time. One copy serves both directions.
 *
 * @param in a multiple of 32, as in all block formats
 * @param columns whether panels have W's columns, for ȳ·W; else they have W's rows, for x·Wᵀ
 */
record BlockWeight(
    MemorySegment blocks, BlockFormat format, int in, TilePrimitives tiles, boolean columns) {
  /**
   * Depths {@code k … kEnd} of a panel as rows of {@code width} floats, with zeros behind the used columns.
   *
   * @param first the panel's first column
   * @param used its columns that hold numbers
   * @param k for panels of W's rows a multiple of 32, as is {@code kEnd}
   */
  MemorySegment panel(Scratch scratch, long first, int used, int width, int k, int kEnd) {
    int depth = kEnd - k;
    MemorySegment panel = scratch.floats(Slot.EXPANDED, (long) depth * width);
    if (columns) {
      for (int row = 0; row < depth; row++) {
        format.expand(blocks, (k + row) * (long) in + first, used, panel, 4L * row * width);
      }
      return panel;
    }
    MemorySegment rows = scratch.floats(Slot.EXPANDED_ROWS, (long) used * depth);
    for (int j = 0; j < used; j++) {
      format.expand(blocks, (first + j) * in + k, depth, rows, 4L * j * depth);
    }
    tiles.transpose(used, depth, rows, 0, 4L * depth, panel, 0, 4L * width, width);
    return panel;
  }

  /** Row k of W as floats. */
  MemorySegment row(Scratch scratch, int k) {
    MemorySegment row = scratch.floats(Slot.EXPANDED_ROWS, in);
    format.expand(blocks, (long) k * in, in, row, 0);
    return row;
  }
}
