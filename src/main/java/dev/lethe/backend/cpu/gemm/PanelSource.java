package dev.lethe.backend.cpu.gemm;

import java.lang.foreign.MemorySegment;

/**
 * The right factor W' of a product where its panels lie nowhere: what a product reads of it is made in the thread's
 * scratch memory first, a part of a panel at a time.
 */
interface PanelSource {
  /**
   * Depths {@code k … kEnd} of a panel as rows of {@code width} floats, with zeros behind the used columns. Valid until
   * the thread asks for the next.
   *
   * @param first the panel's first column
   * @param used its columns that hold numbers
   * @param k a multiple of 32
   */
  MemorySegment panel(Scratch scratch, long first, int used, int width, int k, int kEnd);

  /**
   * The same source for a product that reads all of a panel next, after one look at what the panel is made of.
   *
   * @return valid until the thread asks for another
   */
  default PanelSource near(Scratch scratch, long first, int used) {
    return this;
  }

  /** Row k of the factor, all its columns, as floats. */
  MemorySegment row(Scratch scratch, int k);
}
