package dev.lethe.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The right factor of a product, (depth,columns), cut into panels of 32 columns that lie one after
 * another, each row-major; so a micro-kernel reads it straight through. The last panel is 32 or 16
 * wide, filled up with zeros.
 */
record Panels(MemorySegment segment, int depth, int columns) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Floats that a matrix takes as panels. */
  static long size(long depth, long columns) {
    return depth * TilePrimitives.padded(Math.toIntExact(columns));
  }

  int count() {
    return Math.ceilDiv(columns, TilePrimitives.WIDE);
  }

  /** Columns of a panel that hold numbers. */
  int used(int panel) {
    return Math.min(TilePrimitives.WIDE, columns - panel * TilePrimitives.WIDE);
  }

  /** Columns of a panel. */
  int width(int panel) {
    return TilePrimitives.widthOf(used(panel));
  }

  /** Where row k of a panel begins, in bytes. */
  long at(int panel, int k) {
    return 4L * ((long) panel * TilePrimitives.WIDE * depth + (long) k * width(panel));
  }

  /** Fills one panel from a matrix (depth,columns) in memory. */
  void pack(int panel, Matrix source) {
    int width = width(panel);
    int used = used(panel);
    long base = at(panel, 0);
    long first = (long) panel * TilePrimitives.WIDE;
    for (int j = 0; j < width; j++) {
      long from = source.at(0, first + j);
      for (int k = 0; k < depth; k++) {
        long to = base + 4L * ((long) k * width + j);
        float value = j < used ? source.segment().get(FLOAT, from + k * source.rowStride()) : 0;
        segment.set(FLOAT, to, value);
      }
    }
  }

  /** Fills all panels from a matrix (depth,columns) in memory. */
  void pack(Matrix source) {
    for (int panel = 0; panel < count(); panel++) {
      pack(panel, source);
    }
  }
}
