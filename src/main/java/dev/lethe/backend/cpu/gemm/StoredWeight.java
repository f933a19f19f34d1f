package dev.lethe.backend.cpu.gemm;

import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import java.lang.foreign.MemorySegment;

/**
 * Panels of a frozen weight W (out,in) that stays in the format in which it came, packed in blocks or narrower than
 * floats. One copy serves both directions.
 *
 * @param in a multiple of 32 in block formats
 * @param columns whether panels have W's columns, for ȳ·W; else they have W's rows, for x·Wᵀ
 */
record StoredWeight(HostFloats weight, int in, TilePrimitives tiles, boolean columns) implements PanelSource {
  /** Rows of a weight of bfloat16 that were copied, from the first of a panel on. */
  private record Copied(MappedBytes.Place rows, int in, TilePrimitives tiles, StoredWeight whole)
      implements PanelSource {
    @Override
    public MemorySegment panel(Scratch scratch, long first, int used, int width, int k, int kEnd) {
      return turned(scratch, tiles, rows.segment(), rows.offset() + 2L * k, in, used, width, kEnd - k);
    }

    @Override
    public MemorySegment row(Scratch scratch, int k) {
      return whole.row(scratch, k);
    }
  }

  /** Rows of bfloat16 as a panel of floats. */
  private static MemorySegment turned(
      Scratch scratch, TilePrimitives tiles, MemorySegment from, long at, int in, int used, int width, int depth) {
    MemorySegment panel = scratch.floats(Slot.EXPANDED, (long) depth * width);
    tiles.transposeBf16(used, depth, from, at, 2L * in, panel, 0, width, true);
    return panel;
  }

  @Override
  public PanelSource near(Scratch scratch, long first, int used) {
    return columns || !weight.lieInBf16()
        ? this
        : new Copied(weight.bf16(first * in, (long) used * in, scratch), in, tiles, this);
  }

  @Override
  public MemorySegment panel(Scratch scratch, long first, int used, int width, int k, int kEnd) {
    int depth = kEnd - k;
    if (!columns && weight.lieInBf16()) {
      return turned(scratch, tiles, weight.segment(), 2 * (first * in + k), in, used, width, depth);
    }
    MemorySegment panel = scratch.floats(Slot.EXPANDED, (long) depth * width);
    if (columns && weight.lieInBf16()) {
      tiles.widenBf16(depth, used, weight.segment(), 2 * ((long) k * in + first), 2L * in, panel, 0, width);
      return panel;
    }
    if (columns) {
      for (int row = 0; row < depth; row++) {
        weight.read((k + row) * (long) in + first, used, panel, 4L * row * width);
        panel.asSlice(4L * (row * width + used), 4L * (width - used)).fill((byte) 0);
      }
      return panel;
    }
    MemorySegment rows = scratch.floats(Slot.EXPANDED_ROWS, (long) used * depth);
    for (int j = 0; j < used; j++) {
      weight.read((first + j) * in + k, depth, rows, 4L * j * depth);
    }
    tiles.transpose(used, depth, rows, 0, 4L * depth, panel, 0, 4L * width, width);
    return panel;
  }

  @Override
  public MemorySegment row(Scratch scratch, int k) {
    MemorySegment row = scratch.floats(Slot.EXPANDED_ROWS, in);
    weight.read((long) k * in, in, row, 0);
    return row;
  }
}
