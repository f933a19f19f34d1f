package dev.lethe.backend.cpu.gemm;

import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import java.lang.foreign.MemorySegment;

/**
 * Products Σ hᵀx over token rows, h (N,r) and x (N,D): r is small, so the rows of h are the
 * columns of the left factor and x is read once, where it lies, in strips of 32 columns. One
 * thread sums a strip of a job in row order.
 */
public final class OuterProducts {
  private static final int WIDE = TilePrimitives.WIDE;
  private static final int SLICE = 512;

  /** Two matrices over the same rows, r and D floats wide; offsets of their row 0 in bytes. */
  public record Pair(MemorySegment h, long hOffset, MemorySegment x, long xOffset) {}

  /** The sum over pairs of hᵀx over rows {@code from … to-1}. */
  public record Job(int from, int to, Pair... pairs) {}

  /** Takes a strip of a job's result: (r,width) at the beginning of block, rows of 32 floats. */
  @FunctionalInterface
  public interface Store {
    void put(int job, int column, int width, MemorySegment block, Scratch scratch);
  }

  private final Cpu cpu;

  public OuterProducts(Cpu cpu) {
    this.cpu = cpu;
  }

  /**
   * @param ordered whether a strip's jobs must be stored in order, by one thread
   */
  public void run(Job[] jobs, int r, int width, boolean ordered, Store store) {
    int strips = Math.ceilDiv(width, WIDE);
    int groups = ordered ? 1 : jobs.length;
    cpu.pool()
        .run(
            strips * groups,
            (task, scratch) -> {
              int column = task % strips * WIDE;
              int first = ordered ? 0 : task / strips;
              int end = ordered ? jobs.length : first + 1;
              for (int job = first; job < end; job++) {
                int used = Math.min(WIDE, width - column);
                store.put(job, column, used, strip(jobs[job], r, width, column, used, scratch), scratch);
              }
            });
  }

  private MemorySegment strip(
      Job job, int r, int width, int column, int used, Scratch scratch) {
    MemorySegment block = scratch.floats(Slot.PRODUCT, (long) r * WIDE);
    cpu.rows().fill(block, 0, r * WIDE, 0);
    for (Pair pair : job.pairs()) {
      for (int row = job.from(); row < job.to(); row += SLICE) {
        int depth = Math.min(SLICE, job.to() - row);
        addSlice(pair, row, depth, r, width, column, used, scratch, block);
      }
    }
    return block;
  }

  private void addSlice(
      Pair pair,
      int row,
      int depth,
      int r,
      int width,
      int column,
      int used,
      Scratch scratch,
      MemorySegment block) {
    long ho = pair.hOffset() + 4L * row * r;
    int done = 0;
    while (done < used) {
      int tile = TilePrimitives.widthOf(used - done);
      MemorySegment x = pair.x();
      long xo = pair.xOffset() + 4 * ((long) row * width + column + done);
      long xRow = 4L * width;
      if (tile > used - done) {
        x = tail(x, xo, xRow, depth, used - done, tile, scratch);
        xo = 0;
        xRow = 4L * tile;
      }
      long at = 4L * done;
      cpu.tiles()
          .multiplyAdd(
              r, tile, depth, pair.h(), ho, 4, 4L * r, x, xo, xRow, block, at, 4L * WIDE, block, at,
              4L * WIDE);
      done += tile;
    }
  }

  /** The last columns of x, filled up to a tile. */
  private MemorySegment tail(
      MemorySegment x, long xo, long xRow, int depth, int used, int tile, Scratch scratch) {
    MemorySegment copy = scratch.floats(Slot.COLUMN_TAIL, (long) SLICE * tile);
    cpu.rows().fill(copy, 0, depth * tile, 0);
    for (int k = 0; k < depth; k++) {
      cpu.rows().copy(x, xo + k * xRow, copy, 4L * k * tile, used);
    }
    return copy;
  }
}
