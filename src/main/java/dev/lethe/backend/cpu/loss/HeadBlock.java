package dev.lethe.backend.cpu.loss;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Gemm;
import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The loss's Hessian product for many directions of one primal. The vocabulary passes twice, in slices
 * that stay in the second-level cache: first ż = ẋWᵀ of a slice and its part of the mean Σ p∘ż, then w
 * p∘(ż − mean) in its place and its part of x̄̇. The rows of all directions that share a row of p stand in
 * one block, which reads p once for all. A row's result does not depend on what else is in its block.
 */
final class HeadBlock {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Rows of a block, those of all its directions together, for vocabularies up to a size and above it. */
  private static final int BLOCK = 192;

  private static final int SMALL_BLOCK = 96;
  private static final int LARGE_VOCABULARY = 80_000;

  /** Floats between rows beside their width, so that rows do not fall on the same cache sets. */
  private static final int SPARE = 16;

  private final Cpu cpu;
  private final Panels forward;
  private final Panels back;
  private final MemorySegment p;
  private final MemorySegment weights;
  private final MemorySegment dx;
  private final MemorySegment dgx;
  private final int m;
  private final int vocabulary;
  private final int depth;
  private final VocabularySlice[] slices;

  /**
   * @param p softmax (M,V)
   * @param weights w (M)
   * @param m rows of a direction
   * @param dx ẋ (k,M,D)
   * @param dgx x̄̇ (k,M,D) out
   */
  HeadBlock(
      Cpu cpu,
      Panels forward,
      Panels back,
      MemorySegment p,
      MemorySegment weights,
      long m,
      MemorySegment dx,
      MemorySegment dgx) {
    this.cpu = cpu;
    this.forward = forward;
    this.back = back;
    this.p = p;
    this.weights = weights;
    this.m = Math.toIntExact(m);
    this.dx = dx;
    this.dgx = dgx;
    this.vocabulary = forward.columns();
    this.depth = forward.depth();
    this.slices = VocabularySlice.of(vocabulary);
  }

  /** Computes all rows of k directions on all threads. */
  void run(long k) {
    int tile = cpu.gemm().tileRows(forward);
    int limit = vocabulary > LARGE_VOCABULARY ? SMALL_BLOCK : BLOCK;
    int groups = (int) Math.ceilDiv(k, limit / tile);
    int widest = (int) Math.ceilDiv(k, Math.max(1, groups));
    int most = Math.max(tile, limit / Math.max(1, widest) / tile * tile);
    RowBlocks blocks = RowBlocks.of(m, most, tile, cpu.pool().threads());
    cpu.pool()
        .run(
            blocks.count() * groups,
            (task, scratch) -> {
              int block = task % blocks.count();
              int group = task / blocks.count();
              int first = (int) (k * group / groups);
              int last = (int) (k * (group + 1) / groups);
              int row = blocks.from(block);
              new Block(scratch, first, last - first, row, blocks.to(block) - row).run();
            });
  }

  /** Rows {@code row … row+count-1} of directions {@code first … first+directions-1}. */
  private final class Block {
    private final Scratch scratch;
    private final int first;
    private final int directions;
    private final int row;
    private final int count;
    private final Matrix in;
    private final Matrix z;
    private final Matrix out;
    private final double[] means;

    Block(Scratch scratch, int first, int directions, int row, int count) {
      this.scratch = scratch;
      this.first = first;
      this.directions = directions;
      this.row = row;
      this.count = count;
      in = matrix(Slot.HEAD_IN, depth);
      z = matrix(Slot.LOGITS, vocabulary);
      out = matrix(Slot.HEAD_OUT, depth);
      means = new double[directions * count];
    }

    private Matrix matrix(Slot slot, int columns) {
      int width = TilePrimitives.padded(columns) + SPARE;
      return Matrix.rows(scratch.floats(slot, (long) directions * count * width), width);
    }

    void run() {
      for (int i = 0; i < means.length; i++) {
        cpu.rows().copy(dx, place(i), in.segment(), in.at(i, 0), depth);
      }
      for (VocabularySlice slice : slices) {
        logits(slice);
      }
      for (VocabularySlice slice : slices) {
        addAdjoints(slice);
      }
      for (int i = 0; i < means.length; i++) {
        cpu.rows().copy(out.segment(), out.at(i, 0), dgx, place(i), depth);
      }
    }

    /** Where row i of the block lies in ẋ and x̄̇; the directions of a row follow one another. */
    private long place(int i) {
      return 4L * depth * ((long) (first + i % directions) * m + row + i / directions);
    }

    private long probabilities(int i, VocabularySlice slice) {
      return 4L * ((long) (row + i / directions) * vocabulary + slice.first());
    }

    /** ż of a slice, and its part of the means. */
    private void logits(VocabularySlice slice) {
      cpu.gemm()
          .block(
              scratch, 0, means.length, slice.panel(), slice.panelEnd(), z, cpu.gemm().zero(),
              new Gemm.Term(in, forward));
      for (int i = 0; i < means.length; i++) {
        long at = z.at(i, slice.first());
        means[i] +=
            cpu.rows().dot(p, probabilities(i, slice), z.segment(), at, slice.size());
      }
    }

    /** ż of a slice becomes w p∘(ż − mean), and its part of x̄̇ is added. */
    private void addAdjoints(VocabularySlice slice) {
      for (int i = 0; i < means.length; i++) {
        float w = weights.get(FLOAT, 4L * (row + i / directions));
        long at = z.at(i, slice.first());
        cpu.rows()
            .weighted(
                w, p, probabilities(i, slice), z.segment(), at, (float) means[i], z.segment(),
                at, slice.size());
      }
      Matrix start = slice.first() == 0 ? cpu.gemm().zero() : out;
      cpu.gemm()
          .addSlice(
              scratch, means.length, out, start, slice.first(), slice.end(),
              new Gemm.Term(z, back));
    }
  }
}
