package dev.lethe.backend.cpu.gemm;

import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * C = Z + Σₜ Aₜ·Bₜ with packed right factors. The terms of a sum, such as a frozen product and its
 * low-rank correction, are added tile by tile while the tile of C is in the nearest cache.
 * Panels of bfloat16 are multiplied by the native library, a block of rows and a panel at a time.
 * Blocking after Goto and van de Geijn (ACM TOMS 34, 2008): blocks of A stay in the second-level
 * cache while panels of B pass by.
 *
 * <p>Long because the order of a sum, and so every byte of a product, is decided by how its loops nest.
 */
public final class Gemm {
  private static final int ROWS = TilePrimitives.ROWS;
  private static final int WIDE = TilePrimitives.WIDE;

  /** Depth of a slice: a panel of B as deep, 64 KiB, passes through the first-level cache. */
  private static final int SLICE = 512;

  /** Total depth up to which the slices of a tile follow one another without leaving the tile. */
  private static final int GROUP = 1536;

  /** Rows of a block, a multiple of the rows of a tile. */
  private static final int BLOCK = 10 * ROWS;

  /** Rows of bfloat16 that are multiplied at a time. */
  private static final int BF16_ROWS = 32;

  /** Rows of a block of bfloat16, whose product is so fast that weights must come by less often. */
  private static final int BF16_BLOCK = 12 * BF16_ROWS;

  /** Rows of a block where panels come as windows, which must be made less often than panels could be read. */
  private static final int WINDOW_BLOCK = 40 * ROWS;

  /** Rows that pass by a panel which comes as windows while all of what it is made of is near. */
  private static final int FEW_ROWS = 4 * ROWS;

  /** Panels of bfloat16 after which further terms are added, while C is in the second-level cache. */
  private static final int BF16_PANELS = 8;

  /** Rows times panels times depth below which handing work to other threads costs more than it gains. */
  private static final int WORTH_SHARING = 16_384;

  /**
   * Rows of A whose distance is a multiple of this fall on few cache sets: such blocks are copied.
   */
  private static final long BAD_STRIDE = 4096;

  /**
   * One product of a sum: (rows,depth)·(depth,columns). Panels of bfloat16 must be in the first, and
   * its left factor is rounded to them; panels that lie elsewhere must be in the first too.
   */
  public record Term(Matrix a, Panels b) {}

  private final TilePrimitives tiles;
  private final RowPrimitives rows;
  private final Bf16Products products;
  private final WorkerPool pool;
  private final Matrix zero;

  /**
   * @param products what multiplies panels of bfloat16; null where there are none
   */
  Gemm(
      Primitives primitives, Bf16Products products, WorkerPool pool, MemorySegment zeros) {
    this.tiles = primitives.tiles();
    this.rows = primitives.rows();
    this.products = products;
    this.pool = pool;
    this.zero = new Matrix(zeros, 0, 0, 0);
  }

  /** A start of zeros. */
  public Matrix zero() {
    return zero;
  }

  /** Rows that are multiplied with panels of a type at a time; blocks of rows are best multiples. */
  public int tileRows(Panels b) {
    return b.bf16() ? BF16_ROWS : ROWS;
  }

  /**
   * Computes all of C on all threads.
   *
   * @param n rows
   * @param start what C starts from: C itself, {@link #zero}, or one row to repeat that may be
   *     read up to a multiple of 32 columns
   */
  public void run(int n, Matrix c, Matrix start, Term... terms) {
    int panels = terms[0].b().count();
    int tile = tileRows(terms[0].b());
    int rowTiles = Math.ceilDiv(n, tile);
    int threads = pool.threads();
    int blocks = Math.ceilDiv(n, blockRows(terms));
    int rowCuts = blocks;
    if (threads > 1) {
      rowCuts = Math.min(rowTiles, Math.max(1, Math.ceilDiv(rowCuts, threads)) * threads);
    }
    int columnCuts = 1;
    boolean elsewhere = terms[0].b().elsewhere();
    if (elsewhere || rowCuts < threads || rowTiles % rowCuts != 0 && rowTiles < 4 * threads) {
      rowCuts = blocks;
      columnCuts = Math.min(panels, 4 * threads);
    }
    if ((long) n * panels * depth(terms) < WORTH_SHARING) {
      rowCuts = 1;
      columnCuts = 1;
    }
    int byRow = rowCuts;
    int byColumn = columnCuts;
    pool.run(
        byRow * byColumn,
        (task, scratch) -> {
          int i = task / byColumn;
          int j = task % byColumn;
          block(
              scratch,
              cut(rowTiles, i, byRow) * tile,
              Math.min(n, cut(rowTiles, i + 1, byRow) * tile),
              cut(panels, j, byColumn),
              cut(panels, j + 1, byColumn),
              c,
              start,
              terms);
        });
  }

  private static int cut(int total, int piece, int pieces) {
    return (int) ((long) total * piece / pieces);
  }

  /** A cut at a multiple of 32, the depths of bfloat16 that are multiplied at a time. */
  private static int depthCut(int total, int piece, int pieces) {
    return piece == pieces ? total : cut(total, piece, pieces) & ~31;
  }

  private static int blockRows(Term[] terms) {
    if (terms[0].b().elsewhere()) {
      return WINDOW_BLOCK;
    }
    return terms[0].b().bf16() ? BF16_BLOCK : BLOCK;
  }

  private static int depth(Term[] terms) {
    int depth = 0;
    for (Term term : terms) {
      depth += term.b().depth();
    }
    return depth;
  }

  /** Computes rows {@code row … end} and the given panels of C on the calling thread. */
  public void block(
      Scratch scratch,
      int row,
      int end,
      int panel,
      int panelEnd,
      Matrix c,
      Matrix start,
      Term... terms) {
    int most = blockRows(terms);
    boolean few = terms[0].b().elsewhere() && !terms[0].b().bf16() && end - row <= FEW_ROWS;
    for (int p = panel; few && p < panelEnd; p++) {
      Term[] now = terms.clone();
      now[0] = new Term(terms[0].a(), terms[0].b().near(scratch, p));
      allDepths(scratch, row, end, p, p + 1, c, start, now);
    }
    for (int i = row; !few && i < end; i += most) {
      allDepths(scratch, i, Math.min(end, i + most), panel, panelEnd, c, start, terms);
    }
  }

  /** Computes a block of rows, a group of depths after another. */
  private void allDepths(
      Scratch scratch, int row, int end, int panel, int panelEnd, Matrix c, Matrix start, Term[] terms) {
    int total = depth(terms);
    int groups = total <= GROUP ? 1 : Math.ceilDiv(total, SLICE);
    for (int g = 0; g < groups; g++) {
      Matrix from = g == 0 ? start : c;
      int k = depthCut(total, g, groups);
      int next = depthCut(total, g + 1, groups);
      group(scratch, row, end, panel, panelEnd, c, from, k, next, terms);
    }
  }

  /**
   * Computes all columns of the first rows of C from depths {@code k … kEnd} of one term alone, on
   * the calling thread.
   */
  public void addSlice(
      Scratch scratch, int rows, Matrix c, Matrix start, int k, int kEnd, Term term) {
    Term[] terms = {term};
    int most = blockRows(terms);
    for (int i = 0; i < rows; i += most) {
      int last = Math.min(rows, i + most);
      group(scratch, i, last, 0, term.b().count(), c, start, k, kEnd, terms);
    }
  }

  /** Adds depths {@code k … kEnd} of the concatenated terms to a block of rows. */
  private void group(
      Scratch scratch, int row, int end, int panel, int panelEnd, Matrix c, Matrix start, int k, int kEnd,
      Term[] terms) {
    if (terms[0].b().bf16()) {
      bf16Group(scratch, row, end, panel, panelEnd, c, start, k, kEnd, terms);
      return;
    }
    Matrix[] left = new Matrix[terms.length];
    int at = 0;
    for (int t = 0; t < terms.length; t++) {
      int first = Math.max(k, at) - at;
      int last = Math.min(kEnd, at + terms[t].b().depth()) - at;
      left[t] = terms[t].a();
      if (first < last && t == 0 && panelEnd - panel > 1 && unfavourable(left[t], last - first)) {
        left[t] = packed(scratch, left[t], row, end, first, last);
      }
      at += terms[t].b().depth();
    }
    MemorySegment edge = scratch.floats(Slot.TILE, (long) ROWS * WIDE);
    boolean elsewhere = terms[0].b().elsewhere();
    for (int p = panel; p < panelEnd; p++) {
      Term[] now = elsewhere ? withWindow(scratch, p, k, kEnd, terms) : terms;
      boolean whole = terms[0].b().used(p) == terms[0].b().width(p);
      for (int i = row; i < end; i += ROWS) {
        int count = Math.min(ROWS, end - i);
        if (!elsewhere && p + 1 < panelEnd) {
          prefetchPart(terms[0].b(), p + 1, k, kEnd, i - row, end - row);
        }
        if (whole) {
          tile(count, i, i - row, p, c.segment(), c.at(i, (long) p * WIDE), c.rowStride(), start,
              i, k, kEnd, left, now);
        } else {
          edgeTile(edge, count, i, i - row, p, c, start, k, kEnd, left, now);
        }
      }
    }
  }

  /** The terms with the window {@code k … kEnd} of a panel of the first one. */
  private static Term[] withWindow(Scratch scratch, int panel, int k, int kEnd, Term[] terms) {
    Panels b = terms[0].b();
    if (k >= b.depth()) {
      return terms;
    }
    Term[] now = terms.clone();
    now[0] = new Term(terms[0].a(), b.window(scratch, panel, k, Math.min(kEnd, b.depth())));
    return now;
  }

  /** Asks for the part of a panel that falls to these rows while the panel before is at work. */
  private void prefetchPart(Panels b, int panel, int k, int kEnd, int row, int rows) {
    int first = Math.min(k, b.depth());
    int depth = Math.min(kEnd, b.depth()) - first;
    int from = first + cut(depth, row, rows);
    int to = first + cut(depth, Math.min(rows, row + ROWS), rows);
    long step = 4L * b.width(panel);
    tiles.prefetch(1, (to - from) * step, b.segment(), b.at(panel, from), 0);
  }

  /** The same where the first term's panels are in bfloat16: that one first, then the others. */
  private void bf16Group(
      Scratch scratch, int row, int end, int panel, int panelEnd, Matrix c, Matrix start, int k, int kEnd,
      Term[] terms) {
    Panels b = terms[0].b();
    int count = end - row;
    int depth = Math.min(kEnd, b.depth()) - k;
    MemorySegment rounded = null;
    if (depth > 0) {
      Matrix a = terms[0].a();
      rounded =
          scratch.floats(Slot.ROUNDED_A, Math.ceilDiv(count * Bf16Products.stride(depth), 4));
      products.round(
          count, depth, new Matrix(a.segment(), a.at(row, k), a.rowStride(), a.columnStride()),
          rounded);
    }
    Term[] others =
        kEnd > b.depth() ? Arrays.copyOfRange(terms, 1, terms.length) : new Term[0];
    for (int first = panel; first < panelEnd; first += BF16_PANELS) {
      int last = Math.min(panelEnd, first + BF16_PANELS);
      for (int p = first; p < last && depth > 0; p++) {
        long column = (long) p * WIDE;
        Matrix from =
            new Matrix(start.segment(), start.at(row, column), start.rowStride(), 4);
        Matrix to = new Matrix(c.segment(), c.at(row, column), c.rowStride(), 4);
        Panels now = b.elsewhere() ? b.window(scratch, p, k, k + depth) : b;
        products.multiply(count, depth, rounded, now, p, k, from, to);
      }
      if (others.length > 0) {
        group(
            scratch, row, end, first, last, c, depth > 0 ? c : start, Math.max(0, k - b.depth()),
            kEnd - b.depth(), others);
      }
    }
  }

  private void edgeTile(
      MemorySegment edge,
      int count,
      int i,
      int inBlock,
      int p,
      Matrix c,
      Matrix start,
      int k,
      int kEnd,
      Matrix[] left,
      Term[] terms) {
    int used = terms[0].b().used(p);
    Matrix local = new Matrix(edge, -4L * WIDE * p, 4L * WIDE, 4);
    Matrix from = start;
    int fromRow = i;
    if (start.rowStride() != 0) {
      for (int r = 0; r < count; r++) {
        rows.copy(
            start.segment(), start.at(i + r, (long) p * WIDE), edge, 4L * WIDE * r, used);
      }
      from = local;
      fromRow = 0;
    }
    tile(count, i, inBlock, p, edge, 0, 4L * WIDE, from, fromRow, k, kEnd, left, terms);
    for (int r = 0; r < count; r++) {
      rows.copy(edge, 4L * WIDE * r, c.segment(), c.at(i + r, (long) p * WIDE), used);
    }
  }

  /** One tile of C through the depths {@code k … kEnd} of all terms. */
  private void tile(
      int count,
      int i,
      int inBlock,
      int p,
      MemorySegment c,
      long co,
      long cRow,
      Matrix start,
      int startRow,
      int k,
      int kEnd,
      Matrix[] left,
      Term[] terms) {
    MemorySegment z = start.segment();
    long zo = start.at(startRow, (long) p * WIDE);
    long zRow = start.rowStride();
    int at = 0;
    for (int t = 0; t < terms.length; t++) {
      Panels b = terms[t].b();
      int last = Math.min(kEnd - at, b.depth());
      for (int first = Math.max(0, k - at); first < last; first += SLICE) {
        int depth = Math.min(SLICE, last - first);
        Matrix a = left[t];
        boolean copied = a != terms[t].a();
        int aRow = copied ? inBlock : i;
        long aOffset =
            copied
                ? 4L * ((long) aRow * (last - Math.max(0, k - at)))
                    + (first - Math.max(0, k - at)) * a.columnStride()
                : a.at(aRow, first);
        int width = b.width(p);
        tiles.multiplyAdd(
            count, width, depth, a.segment(), aOffset, a.rowStride(), a.columnStride(),
            b.segment(), b.at(p, first), 4L * width, z, zo, zRow, c, co, cRow);
        z = c;
        zo = co;
        zRow = cRow;
      }
      at += b.depth();
    }
  }

  private static boolean unfavourable(Matrix a, int depth) {
    return depth >= 64 && a.rowStride() % BAD_STRIDE == 0 && a.columnStride() == 4;
  }

  /** A block of A as panels of 12 rows: element (i,k) at (i/12·depth + k)·12 + i%12. */
  private Matrix packed(
      Scratch scratch, Matrix a, int row, int end, int first, int last) {
    int depth = last - first;
    MemorySegment copy =
        scratch.floats(Slot.PACKED_A, (long) Math.ceilDiv(end - row, ROWS) * ROWS * depth);
    for (int i = row; i < end; i += ROWS) {
      int count = Math.min(ROWS, end - i);
      tiles.transpose(
          count, depth, a.segment(), a.at(i, first), a.rowStride(), copy,
          4L * (i - row) * depth, 4L * ROWS, ROWS);
    }
    return new Matrix(copy, 0, 4, 4L * ROWS);
  }
}
