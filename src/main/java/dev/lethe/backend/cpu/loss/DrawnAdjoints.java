package dev.lethe.backend.cpu.loss;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.kernel.LossKernels;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Adjoints of the head's input for labels drawn from the model, row by row.
 *
 * @param back panels of W
 * @param labels I32 (q,M) out
 * @param out (q,M,D) out
 */
record DrawnAdjoints(
    Cpu cpu,
    Panels back,
    Primal primal,
    long seed,
    MemorySegment labels,
    MemorySegment out) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /**
   * What does not depend on a draw.
   *
   * @param p softmax (M,V)
   * @param targets I32 (M)
   * @param weights w (M)
   * @param gx x̄ (M,D)
   */
  record Primal(MemorySegment p, MemorySegment targets, MemorySegment weights, MemorySegment gx) {}

  /** Computes q draws of m rows on all threads. */
  void run(int q, int m) {
    int classes = back.depth();
    cpu.pool()
        .runRanges(
            m,
            Cpu.grain(classes + (long) q * back.columns()),
            (from, to, scratch) -> {
              DrawnLabels drawn = new DrawnLabels(primal.p(), classes);
              for (int row = from; row < to; row++) {
                drawn.read(row);
                for (int j = 0; j < q; j++) {
                  int label = drawn.label(LossKernels.uniform(seed, j, row));
                  long at = (long) j * m + row;
                  labels.set(INT, 4 * at, label);
                  adjoint(scratch, row, label, 4 * at * back.columns());
                }
              }
            });
  }

  /** √w·(x̄/w + W[target] − W[label]). */
  private void adjoint(Scratch scratch, int row, int label, long to) {
    int width = back.columns();
    float weight = primal.weights().get(FLOAT, 4L * row);
    if (weight == 0) {
      cpu.rows().fill(out, to, width, 0);
      return;
    }
    double root = Math.sqrt(weight);
    cpu.rows().scale((float) (1 / root), primal.gx(), 4L * row * width, out, to, width);
    back.addRow(scratch, cpu.rows(), (float) root, primal.targets().get(INT, 4L * row), out, to);
    back.addRow(scratch, cpu.rows(), (float) -root, label, out, to);
  }
}
