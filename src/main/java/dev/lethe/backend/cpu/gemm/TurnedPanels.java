package dev.lethe.backend.cpu.gemm;

import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import java.lang.foreign.MemorySegment;

/**
 * Panels of W (out,in) for ȳ·W from the panels of floats that Wᵀ lies in for x·Wᵀ: where the two cross, 32 columns of
 * one are 32 rows of the other, and are turned.
 */
record TurnedPanels(Panels panels, TilePrimitives tiles) implements PanelSource {
  private static final int WIDE = TilePrimitives.WIDE;

  @Override
  public MemorySegment panel(Scratch scratch, long first, int used, int width, int k, int kEnd) {
    MemorySegment window = scratch.floats(Slot.EXPANDED, (long) (kEnd - k) * width);
    for (int row = k; row < kEnd; row += WIDE) {
      int panel = row / WIDE;
      int count = Math.min(WIDE, kEnd - row);
      tiles.transpose(
          used, count, panels.segment(), panels.at(panel, (int) first), 4L * panels.width(panel),
          window, 4L * (row - k) * width, 4L * width, width);
    }
    return window;
  }

  @Override
  public MemorySegment row(Scratch scratch, int k) {
    int panel = k / WIDE;
    int depth = panels.depth();
    MemorySegment row = scratch.floats(Slot.EXPANDED_ROWS, depth);
    long at = panels.at(panel, 0) + 4L * (k % WIDE);
    tiles.transpose(depth, 1, panels.segment(), at, 4L * panels.width(panel), row, 0, 4L * depth, depth);
    return row;
  }
}
