package dev.lethe.backend.cpu.attention;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.backend.kernel.operand.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the modes of attention share: copies of one head's rows in dense form, and products of
 * tiles of {@value #QUERIES} queries by {@value #KEYS} keys that skip what the causal mask hides.
 * Head rows are filled up to whole tiles with zeros; transposed heads are panels (headSize,32
 * keys).
 */
final class AttentionTiles {
  static final int QUERIES = 48;
  static final int KEYS = 64;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int ROWS = TilePrimitives.ROWS;
  private static final int WIDE = TilePrimitives.WIDE;

  /**
   * A tile of scores.
   *
   * @param query its first query's row in the head's copies
   * @param position the place of that query in the sequence
   * @param key its first key, a multiple of {@value #KEYS}
   */
  record Tile(int query, int queries, int position, int key, int keys) {
    /**
     * Keys of the tile that its query {@code i} sees, from the first on: those below this bound.
     */
    int visible(int i) {
      return Math.clamp(position + i - key + 1L, 0, keys);
    }
  }

  private final AttentionShape shape;
  private final TilePrimitives tiles;
  private final RowPrimitives rows;
  private final MemorySegment zeros;

  AttentionTiles(Cpu cpu, AttentionShape shape) {
    this.shape = shape;
    this.tiles = cpu.tiles();
    this.rows = cpu.rows();
    this.zeros = cpu.zeros();
  }

  /** Floats of a row of a head's copy. */
  int width() {
    return TilePrimitives.padded(shape.headSize());
  }

  /** Floats of a head's copy of n rows. */
  long headSize(int n) {
    return (long) n * width();
  }

  /** Floats of a transposed head of n rows. */
  long panelsSize(int n) {
    return (long) Math.ceilDiv(n, WIDE) * WIDE * shape.headSize();
  }

  /** Floats of a tile. */
  static long tileSize() {
    return (long) QUERIES * KEYS;
  }

  /** Copies n rows of a head out of a tensor; offsets in bytes, {@code stride} between its rows. */
  void copyIn(
      MemorySegment from,
      long offset,
      long stride,
      int n,
      MemorySegment to,
      long toOffset) {
    int size = shape.headSize();
    int width = width();
    tiles.prefetch(n, 4L * size, from, offset, stride);
    for (int i = 0; i < n; i++) {
      long at = toOffset + 4L * i * width;
      rows.copy(from, offset + i * stride, to, at, size);
      if (size < width) {
        rows.fill(to, at + 4L * size, width - size, 0);
      }
    }
  }

  /** Writes factor times n rows of a head's copy into a tensor. */
  void copyOut(
      MemorySegment from, long offset, int n, float factor, MemorySegment to, long toOffset,
      long stride) {
    for (int i = 0; i < n; i++) {
      rows.scale(
          factor, from, offset + 4L * i * width(), to, toOffset + i * stride, shape.headSize());
    }
  }

  /** Turns n rows of a head's copy into panels (headSize,32). */
  void transpose(MemorySegment from, long offset, int n, MemorySegment to, long toOffset) {
    int size = shape.headSize();
    long row = 4L * width();
    for (int key = 0; key < n; key += WIDE) {
      tiles.transpose(
          Math.min(WIDE, n - key), size, from, offset + key * row, row, to,
          toOffset + 4L * key * size, 4L * WIDE, WIDE);
    }
  }

  /** The tile of these queries and keys, or null where no query sees any of the keys. */
  Tile tile(int query, int queries, int position, int key, int allKeys) {
    int keys = Math.min(KEYS, allKeys - key);
    boolean none = key > position + queries - 1 || key + keys <= shape.firstKey(position);
    return none ? null : new Tile(query, queries, position, key, keys);
  }

  /** The first key of the first tile that a query at this position needs. */
  int firstTile(int position) {
    return shape.firstKey(position) / KEYS * KEYS;
  }

  /** out (+)= A·Bᵀ with rows of A a head's copy and B transposed, where queries see keys. */
  void scores(
      Tile t,
      MemorySegment a,
      long aOffset,
      MemorySegment panels,
      long panelsOffset,
      MemorySegment out,
      boolean add) {
    int size = shape.headSize();
    for (int i = 0; i < t.queries(); i += ROWS) {
      int count = Math.min(ROWS, t.queries() - i);
      int visible = t.visible(i + count - 1);
      for (int j = 0; j < visible; j += WIDE) {
        long c = 4L * (i * KEYS + j);
        long b = panelsOffset + 4L * (t.key() + j) * size;
        tiles.multiplyAdd(
            count, WIDE, size, a, aOffset + 4L * (t.query() + i) * width(), 4L * width(), 4, panels,
            b, 4L * WIDE, add ? out : zeros, add ? c : 0, add ? 4L * KEYS : 0, out, c, 4L * KEYS);
      }
    }
  }

  /** C[queries] += P·X, with X and C heads' copies by key and by query. */
  void toQueries(
      Tile t, MemorySegment p, MemorySegment x, long xOffset, MemorySegment c, long cOffset) {
    long stride = 4L * width();
    for (int i = 0; i < t.queries(); i += ROWS) {
      int count = Math.min(ROWS, t.queries() - i);
      int depth = t.visible(i + count - 1);
      long row = cOffset + (t.query() + i) * stride;
      if (depth > 0) {
        across(
            count, depth, p, 4L * i * KEYS, 4L * KEYS, 4, x, xOffset + t.key() * stride, c, row);
      }
    }
  }

  /** C[keys] += Pᵀ·X, with X and C heads' copies by query and by key. */
  void toKeys(
      Tile t, MemorySegment p, MemorySegment x, long xOffset, MemorySegment c, long cOffset) {
    long stride = 4L * width();
    for (int j = 0; j < t.keys(); j += ROWS) {
      int first = Math.max(0, t.key() + j - t.position());
      int depth = t.queries() - first;
      if (depth > 0) {
        across(
            Math.min(ROWS, t.keys() - j), depth, p, 4L * (first * KEYS + j), 4, 4L * KEYS, x,
            xOffset + (t.query() + first) * stride, c, cOffset + (t.key() + j) * stride);
      }
    }
  }

  private void across(
      int count,
      int depth,
      MemorySegment a,
      long ao,
      long aRow,
      long aColumn,
      MemorySegment x,
      long xo,
      MemorySegment c,
      long co) {
    int width = width();
    int done = 0;
    while (done < width) {
      int part = TilePrimitives.widthOf(width - done);
      long at = 4L * done;
      tiles.multiplyAdd(
          count, part, depth, a, ao, aRow, aColumn, x, xo + at, 4L * width, c, co + at, 4L * width,
          c, co + at, 4L * width);
      done += part;
    }
  }

  /** Turns scores QKᵀ into P = exp(c·S − L), and what is hidden into zeros. */
  void probabilities(Tile t, MemorySegment s, MemorySegment lse, long lseOffset) {
    float scale = (float) shape.scale();
    float[] shifts = new float[t.queries()];
    MemorySegment.copy(lse, FLOAT, lseOffset + 4L * t.query(), shifts, 0, shifts.length);
    for (int i = 0; i < shifts.length; i++) {
      exponentials(t, s, i, scale, shifts[i]);
    }
  }

  /** Turns row i of scores into exp(scale·s − shift), and what is hidden into zeros; the sum. */
  float exponentials(Tile t, MemorySegment s, int i, float scale, float shift) {
    long row = 4L * i * KEYS;
    int end = t.visible(i);
    int first = first(t, i);
    float sum = 0;
    if (first < end) {
      rows.fill(s, row, first, 0);
      sum = rows.expSum(s, row + 4L * first, end - first, scale, shift);
    }
    int shown = first < end ? end : 0;
    rows.fill(s, row + 4L * shown, KEYS - shown, 0);
    return sum;
  }

  /** The largest score that query i of the tile sees, or −∞. */
  float largest(Tile t, MemorySegment s, int i) {
    int first = first(t, i);
    return rows.max(s, 4L * (i * KEYS + first), Math.max(0, t.visible(i) - first));
  }

  /** The first key of the tile that its query i sees. */
  private int first(Tile t, int i) {
    return Math.max(0, shape.firstKey(t.position() + i) - t.key());
  }

  /** out ← P∘(X − shift), zero where hidden, for row i; out may be x. */
  void weighted(Tile t, int i, MemorySegment p, MemorySegment x, float shift, MemorySegment out) {
    long row = 4L * i * KEYS;
    int end = t.visible(i);
    rows.weighted(1, p, row, x, row, shift, out, row, end);
    rows.fill(out, row + 4L * end, KEYS - end, 0);
  }
}
