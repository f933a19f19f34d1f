package dev.lethe.backend.cpu;

import dev.lethe.backend.cpu.Scratch.Slot;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The loss's Hessian product for many directions of one primal. Since Σ p∘ż = ⟨ẋ, pW⟩, and pW =
 * x̄/w + W[target] is known from the gradient, the mean of ż is known before ż; so the vocabulary
 * passes in pieces that stay in the second-level cache: ż = ẋWᵀ of a piece, w p∘(ż − mean) in its
 * place, and its part of x̄̇. The rows of all directions that share a row of p stand in one block,
 * which reads p and W once for all. A row's result does not depend on what else is in its block.
 */
final class HeadBlock {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final int WIDE = TilePrimitives.WIDE;

  /** Rows of a block, those of all its directions together. */
  private static final int BLOCK = 264;

  /** Columns of the vocabulary at a time. */
  private static final int COLUMNS = 128;

  /** The same where products are in bfloat16: more, since ẋ is rounded for each time. */
  private static final int BF16_COLUMNS = 512;

  /** Depth of a product at a time: as deep, a panel is half of a first-level cache. */
  private static final int SLICE = 160;

  /** Floats between rows beside their width, so that rows do not fall on the same cache sets. */
  private static final int SPARE = 16;

  private final Cpu cpu;
  private final Panels forth;
  private final Panels back;
  private final Primal primal;
  private final MemorySegment dx;
  private final MemorySegment dgx;
  private final int m;
  private final int vocabulary;
  private final int depth;
  private final int tile;
  private final int step;
  private final int inRow;
  private final int zRow;
  private final int outRow;

  /**
   * What does not depend on a direction.
   *
   * @param p softmax (M,V)
   * @param targets I32 (M)
   * @param weights w (M)
   * @param gx x̄ (M,D)
   */
  record Primal(MemorySegment p, MemorySegment targets, MemorySegment weights, MemorySegment gx) {}

  /**
   * @param m rows of a direction
   * @param dx ẋ (k,M,D)
   * @param dgx x̄̇ (k,M,D) out
   */
  HeadBlock(
      Cpu cpu,
      Panels forth,
      Panels back,
      Primal primal,
      long m,
      MemorySegment dx,
      MemorySegment dgx) {
    this.cpu = cpu;
    this.forth = forth;
    this.back = back;
    this.primal = primal;
    this.m = Math.toIntExact(m);
    this.dx = dx;
    this.dgx = dgx;
    this.vocabulary = forth.columns();
    this.depth = forth.depth();
    this.tile = cpu.gemm().tileRows(forth);
    this.step = forth.bf16() ? BF16_COLUMNS : COLUMNS;
    this.inRow = depth + SPARE;
    this.zRow = forth.bf16() ? BF16_COLUMNS + SPARE : COLUMNS;
    this.outRow = TilePrimitives.padded(depth) + SPARE;
  }

  /** Computes all rows of k directions on all threads. */
  void run(long k) {
    int groups = (int) Math.ceilDiv(k, BLOCK / tile);
    int widest = (int) Math.ceilDiv(k, Math.max(1, groups));
    int most = Math.max(tile, BLOCK / Math.max(1, widest) / tile * tile);
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
    private final int rows;
    private final MemorySegment in;
    private final MemorySegment z;
    private final MemorySegment out;
    private final MemorySegment means;

    Block(Scratch scratch, int first, int directions, int row, int count) {
      this.scratch = scratch;
      this.first = first;
      this.directions = directions;
      this.row = row;
      this.count = count;
      rows = directions * count;
      in = scratch.floats(Slot.HEAD_IN, (long) rows * inRow);
      z = scratch.floats(Slot.LOGITS, (long) rows * zRow);
      out = scratch.floats(Slot.HEAD_OUT, (long) rows * outRow);
      means = scratch.floats(Slot.STATISTICS, rows);
    }

    void run() {
      gather();
      cpu.rows().fill(out, 0, rows * outRow, 0);
      for (int column = 0; column < vocabulary; column += step) {
        int columns = Math.min(step, vocabulary - column);
        if (forth.bf16()) {
          bf16Logits(column, columns);
          weigh(column, columns);
          bf16Adjoints(column, columns);
        } else {
          logits(column, columns);
          weigh(column, columns);
          adjoints(column, columns);
        }
      }
      for (int i = 0; i < rows; i++) {
        cpu.rows().copy(out, 4L * i * outRow, dgx, place(i), depth);
      }
    }

    /** Where row i of the block lies in ẋ and x̄̇; rows of a direction follow one another. */
    private long place(int i) {
      return 4L * depth * ((long) (first + i / count) * m + row + i % count);
    }

    /** Copies ẋ, and takes its means ⟨ẋ, x̄/w + W[target]⟩. */
    private void gather() {
      for (int i = 0; i < count; i++) {
        float w = primal.weights.get(FLOAT, 4L * (row + i));
        int target = primal.targets.get(INT, 4L * (row + i));
        long adjoint = 4L * depth * (row + i);
        for (int j = 0; j < directions; j++) {
          int at = j * count + i;
          long to = 4L * at * inRow;
          cpu.rows().copy(dx, place(at), in, to, depth);
          double label = forth.dotColumn(target, in, to);
          double part = w == 0 ? 0 : cpu.rows().dotDouble(in, to, primal.gx, adjoint, depth) / w;
          means.set(FLOAT, 4L * at, (float) (label + part));
        }
      }
    }

    /** ż of some columns. */
    private void logits(int column, int columns) {
      for (int done = 0; done < columns; done += WIDE) {
        int panel = (column + done) / WIDE;
        int width = forth.width(panel);
        int slices = Math.ceilDiv(depth, SLICE);
        for (int s = 0; s < slices; s++) {
          int from = (int) ((long) depth * s / slices);
          int to = (int) ((long) depth * (s + 1) / slices);
          MemorySegment start = s == 0 ? cpu.zeros() : z;
          cpu.tiles()
              .multiplyAdd(
                  rows, width, to - from, in, 4L * from, 4L * inRow, 4, forth.segment(),
                  forth.at(panel, from), 4L * width, start, s == 0 ? 0 : 4L * done,
                  s == 0 ? 0 : 4L * zRow, z, 4L * done, 4L * zRow);
        }
      }
    }

    private void bf16Logits(int column, int columns) {
      int panel = column / WIDE;
      cpu.gemm()
          .block(
              scratch, 0, rows, panel, panel + Math.ceilDiv(columns, WIDE), logitsFrom(column),
              cpu.gemm().zero(), new Gemm.Term(new Matrix(in, 0, 4L * inRow, 4), forth));
    }

    private void bf16Adjoints(int column, int columns) {
      Matrix c = new Matrix(out, 0, 4L * outRow, 4);
      Gemm.Term term = new Gemm.Term(logitsFrom(column), back);
      cpu.gemm().addSlice(scratch, rows, c, c, column, column + columns, term);
    }

    /** ż as a matrix of which only columns from the given one on are there. */
    private Matrix logitsFrom(int column) {
      return new Matrix(z, -4L * column, 4L * zRow, 4);
    }

    /** ż becomes w p∘(ż − mean). */
    private void weigh(int column, int columns) {
      for (int i = 0; i < count; i++) {
        float w = primal.weights.get(FLOAT, 4L * (row + i));
        long p = 4 * ((long) (row + i) * vocabulary + column);
        for (int j = 0; j < directions; j++) {
          int at = j * count + i;
          long to = 4L * at * zRow;
          float mean = means.get(FLOAT, 4L * at);
          cpu.rows().weighted(w, primal.p, p, z, to, mean, z, to, columns);
        }
      }
    }

    /** Adds the columns' part of x̄̇. */
    private void adjoints(int column, int columns) {
      for (int panel = 0; panel < back.count(); panel++) {
        int width = back.width(panel);
        long at = 4L * panel * WIDE;
        cpu.tiles()
            .multiplyAdd(
                rows, width, columns, z, 0, 4L * zRow, 4, back.segment(),
                back.at(panel, column), 4L * width, out, at, 4L * outRow, out, at, 4L * outRow);
      }
    }
  }
}
