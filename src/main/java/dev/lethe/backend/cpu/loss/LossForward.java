package dev.lethe.backend.cpu.loss;

import dev.lethe.backend.cpu.attention.AttentionForward;
import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Gemm;
import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.ScalarMath;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The loss's forward mode for a block of rows: slices of the vocabulary pass through logits, softmax
 * and the adjoint's product while they are in the second-level cache, with a running maximum and sum
 * per row as in {@link AttentionForward}. Exponentials are kept relative to the maximum of their time
 * and brought to the last one at the end.
 *
 * @param x (M,D)
 * @param start what logits start from: the bias, or zero
 * @param targets (M), checked
 * @param rowLoss (M) out
 * @param p (M,V) out, or null
 * @param gx (M,D) out, or null, and with it {@code back} and {@code weights} (M)
 */
record LossForward(
    Cpu cpu,
    Panels forward,
    Panels back,
    Matrix start,
    Matrix x,
    MemorySegment targets,
    MemorySegment weights,
    MemorySegment rowLoss,
    MemorySegment p,
    MemorySegment gx) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** Computes rows {@code row … end-1}. */
  void run(int row, int end, Scratch scratch) {
    new Block(row, end - row, scratch).run();
  }

  private final class Block {
    private final int row;
    private final int count;
    private final Scratch scratch;
    private final VocabularySlice[] slices = VocabularySlice.of(forward.columns());
    private final float[] max;
    private final float[] sum;
    private final float[] labelled;
    private final float[][] shifts;

    Block(int row, int count, Scratch scratch) {
      this.row = row;
      this.count = count;
      this.scratch = scratch;
      max = new float[count];
      Arrays.fill(max, Float.NEGATIVE_INFINITY);
      sum = new float[count];
      labelled = new float[count];
      shifts = new float[slices.length][count];
    }

    void run() {
      for (int s = 0; s < slices.length; s++) {
        slice(slices[s], s);
      }
      for (int i = 0; i < count; i++) {
        rowLoss.set(FLOAT, 4L * (row + i), (float) (Math.log(sum[i]) + max[i] - labelled[i]));
        if (p != null) {
          finishSoftmax(i);
        }
        if (gx != null) {
          finishAdjoint(i);
        }
      }
    }

    private void slice(VocabularySlice slice, int s) {
      Matrix z = logits(slice);
      cpu.gemm()
          .block(
              scratch, 0, count, slice.panel(), slice.panelEnd(), z, start,
              new Gemm.Term(x.fromRow(row), forward));
      for (int i = 0; i < count; i++) {
        softmaxStep(slice, z, i);
        shifts[s][i] = max[i];
      }
      if (gx != null) {
        addAdjoint(slice, z);
      }
    }

    /** A slice's logits: in their place in p, or in memory that is used again by the next. */
    private Matrix logits(VocabularySlice slice) {
      return p == null
          ? slice.inScratch(scratch, Slot.LOGITS, count)
          : Matrix.rows(p, 4L * row * forward.columns(), forward.columns());
    }

    /** Takes a slice into the running maximum and sum of row i; z becomes its exponentials. */
    private void softmaxStep(VocabularySlice slice, Matrix z, int i) {
      int label = label(i);
      if (slice.contains(label)) {
        labelled[i] = z.segment().get(FLOAT, z.at(i, label));
      }
      long at = z.at(i, slice.first());
      float old = max[i];
      float now = Math.max(old, cpu.rows().max(z.segment(), at, slice.size()));
      if (now > old && slice.first() > 0) {
        float keep = ScalarMath.exp(old - now);
        sum[i] *= keep;
        if (gx != null) {
          cpu.rows().scale(keep, gx, adjointAt(i), gx, adjointAt(i), back.columns());
        }
      }
      max[i] = now;
      sum[i] += cpu.rows().expSum(z.segment(), at, slice.size(), 1, now);
    }

    /** Adds a slice's part of e·W to gx, without the labels' columns. */
    private void addAdjoint(VocabularySlice slice, Matrix z) {
      float[] ofLabels = new float[count];
      for (int i = 0; i < count; i++) {
        if (slice.contains(label(i))) {
          long at = z.at(i, label(i));
          ofLabels[i] = z.segment().get(FLOAT, at);
          z.segment().set(FLOAT, at, 0);
        }
      }
      Matrix c = Matrix.rows(gx, adjointAt(0), back.columns());
      cpu.gemm()
          .addSlice(
              scratch, count, c, slice.first() == 0 ? cpu.gemm().zero() : c, slice.first(),
              slice.end(), new Gemm.Term(z, back));
      for (int i = 0; i < count; i++) {
        if (slice.contains(label(i))) {
          z.segment().set(FLOAT, z.at(i, label(i)), ofLabels[i]);
        }
      }
    }

    private void finishSoftmax(int i) {
      long at = 4L * (row + i) * forward.columns();
      for (int s = 0; s < slices.length; s++) {
        long from = at + 4L * slices[s].first();
        float factor = ScalarMath.exp(shifts[s][i] - max[i]) / sum[i];
        cpu.rows().scale(factor, p, from, p, from, slices[s].size());
      }
    }

    /** x̄ = a(e·W/sum + (p − 1)W[label]), with p of the label. */
    private void finishAdjoint(int i) {
      long at = adjointAt(i);
      float a = weights.get(FLOAT, 4L * (row + i));
      cpu.rows().scale(a / sum[i], gx, at, gx, at, back.columns());
      float ofLabel = a * (ScalarMath.exp(labelled[i] - max[i]) / sum[i] - 1);
      back.addRow(scratch, cpu.rows(), ofLabel, label(i), gx, at);
    }

    private int label(int i) {
      return targets.get(INT, 4L * (row + i));
    }

    private long adjointAt(int i) {
      return 4L * (row + i) * back.columns();
    }
  }
}
