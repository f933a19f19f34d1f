package dev.lethe.backend.cpu.loss;

import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;

/**
 * Consecutive columns of the logits, as many as keep a block of rows of them, and the panels of the
 * head that make them, in the second-level cache.
 *
 * @param panel first panel of the head
 * @param panelEnd behind its last panel
 * @param first first column
 * @param end behind its last column
 */
record VocabularySlice(int panel, int panelEnd, int first, int end) {
  private static final int PANELS = 8;

  /** Floats between rows in scratch memory; a power of two would fall on few cache sets. */
  private static final int STRIDE = PANELS * TilePrimitives.WIDE + 16;

  /** The slices of a vocabulary in order. */
  static VocabularySlice[] of(int vocabulary) {
    int panels = Math.ceilDiv(vocabulary, TilePrimitives.WIDE);
    VocabularySlice[] slices = new VocabularySlice[Math.ceilDiv(panels, PANELS)];
    for (int s = 0; s < slices.length; s++) {
      int panel = s * PANELS;
      int panelEnd = Math.min(panels, panel + PANELS);
      slices[s] =
          new VocabularySlice(
              panel,
              panelEnd,
              panel * TilePrimitives.WIDE,
              Math.min(vocabulary, panelEnd * TilePrimitives.WIDE));
    }
    return slices;
  }

  int size() {
    return end - first;
  }

  boolean contains(int column) {
    return first <= column && column < end;
  }

  /** A matrix of which only this slice's columns may be touched. */
  Matrix inScratch(Scratch scratch, Slot slot, int rows) {
    return new Matrix(
        scratch.floats(slot, (long) rows * STRIDE), -4L * first, 4L * STRIDE, 4);
  }
}
