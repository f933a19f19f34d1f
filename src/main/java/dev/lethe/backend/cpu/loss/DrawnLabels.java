package dev.lethe.backend.cpu.loss;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Draws classes of rows of probabilities, by sums of runs of them that are made once a row. */
final class DrawnLabels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int RUN = 256;

  private final MemorySegment p;
  private final int classes;
  private final double[] sums;
  private long row;
  private double all;

  /**
   * @param p (M,V)
   */
  DrawnLabels(MemorySegment p, int classes) {
    this.p = p;
    this.classes = classes;
    sums = new double[Math.ceilDiv(classes, RUN)];
  }

  /** Turns to a row. */
  void read(long index) {
    row = 4 * index * classes;
    all = 0;
    for (int run = 0; run < sums.length; run++) {
      double sum = 0;
      for (int i = run * RUN; i < Math.min(classes, (run + 1) * RUN); i++) {
        sum += p.get(FLOAT, row + 4L * i);
      }
      sums[run] = sum;
      all += sum;
    }
  }

  /** The first class whose running sum exceeds a part of the sum of all; at most the last possible one. */
  int label(double part) {
    double sum = 0;
    int run = 0;
    while (run < sums.length - 1 && !(sum + sums[run] > part * all)) {
      sum += sums[run++];
    }
    int possible = 0;
    for (int i = run * RUN; i < classes && !(sum > part * all); i++) {
      float value = p.get(FLOAT, row + 4L * i);
      sum += value;
      possible = value > 0 ? i : possible;
    }
    return possible;
  }
}
