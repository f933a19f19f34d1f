package dev.lethe.backend.cpu.attention;

import dev.lethe.backend.cpu.attention.AttentionTiles.Tile;
import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/**
 * One key head of one sequence with the query heads that read it, for a chunk of directions: the
 * piece of work of the derivative modes. One thread sums the adjoints of the key head over all its
 * query heads.
 *
 * @param start first row of the sequence
 * @param n its rows
 * @param total rows of the whole batch
 * @param first first direction of the chunk
 * @param directions directions in the chunk
 */
record AttentionTask(
    AttentionShape shape,
    AttentionTiles tiles,
    int start,
    int n,
    int total,
    int keyHead,
    int first,
    int directions) {
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Floats that the copies of a chunk's directions may take together. */
  private static final long CHUNK = 1 << 19;

  /** A mode's computation of a task. */
  @FunctionalInterface
  interface Body {
    void run(AttentionTask task, Scratch scratch);
  }

  /**
   * Runs all tasks of a batch.
   *
   * @param arrays copies of a head that a direction needs, which bounds the directions of a chunk
   */
  static void forAll(
      Cpu cpu, AttentionShape shape, Packing packing, long k, int arrays, Body body) {
    AttentionTiles tiles = new AttentionTiles(cpu, shape);
    long each = Math.max(1, arrays * tiles.headSize(packing.longest()));
    int chunk = (int) Math.clamp(CHUNK / each, 1, Math.max(1, k));
    int heads = shape.keyHeads();
    cpu.pool()
        .run(
            packing.count() * heads,
            (task, scratch) -> {
              int sequence = task / heads;
              for (int first = 0; first < k; first += chunk) {
                body.run(
                    new AttentionTask(
                        shape,
                        tiles,
                        packing.start(sequence),
                        packing.length(sequence),
                        packing.rows(),
                        task % heads,
                        first,
                        (int) Math.min(chunk, k - first)),
                    scratch);
              }
            });
  }

  /** Floats of copies of a head for all directions of the chunk. */
  long copies() {
    return directions * tiles.headSize(n);
  }

  /** Floats of transposed copies for all directions of the chunk. */
  long panelCopies() {
    return directions * tiles.panelsSize(n);
  }

  /** Where direction d of the chunk begins in copies, in bytes. */
  long copyAt(int d) {
    return 4 * d * tiles.headSize(n);
  }

  /** Where direction d of the chunk begins in transposed copies, in bytes. */
  long panelsAt(int d) {
    return 4 * d * tiles.panelsSize(n);
  }

  /** The query head number g of this key head. */
  int head(int g) {
    return keyHead * shape.group() + g;
  }

  /** Copies a query head of a primal tensor (N,Hq). */
  void copyQuery(MemorySegment from, int head, MemorySegment to) {
    tiles.copyIn(from, queryAt(-1, head), 4 * shape.queryWidth(), n, to, 0);
  }

  /** Copies the key head of a primal tensor (N,Hk). */
  void copyKey(MemorySegment from, MemorySegment to) {
    tiles.copyIn(from, keyAt(-1), 4 * shape.keyWidth(), n, to, 0);
  }

  /** Copies a query head of all directions of the chunk; nothing where there is no tensor. */
  void copyQueries(MemorySegment from, int head, MemorySegment to) {
    for (int d = 0; from != null && d < directions; d++) {
      tiles.copyIn(from, queryAt(d, head), 4 * shape.queryWidth(), n, to, copyAt(d));
    }
  }

  /** Copies the key head of all directions of the chunk; nothing where there is no tensor. */
  void copyKeys(MemorySegment from, MemorySegment to) {
    for (int d = 0; from != null && d < directions; d++) {
      tiles.copyIn(from, keyAt(d), 4 * shape.keyWidth(), n, to, copyAt(d));
    }
  }

  /** Transposes copies of all directions of the chunk. */
  void transposeAll(MemorySegment from, MemorySegment to) {
    for (int d = 0; d < directions; d++) {
      tiles.transpose(from, copyAt(d), n, to, panelsAt(d));
    }
  }

  /** Writes factor times the copies of all directions to a query head of a tensor (k,N,Hq). */
  void storeQueries(MemorySegment from, int head, float factor, MemorySegment to) {
    for (int d = 0; d < directions; d++) {
      tiles.copyOut(from, copyAt(d), n, factor, to, queryAt(d, head), 4 * shape.queryWidth());
    }
  }

  /** Writes factor times the copies of all directions to the key head of a tensor (k,N,Hk). */
  void storeKeys(MemorySegment from, float factor, MemorySegment to) {
    for (int d = 0; d < directions; d++) {
      tiles.copyOut(from, copyAt(d), n, factor, to, keyAt(d), 4 * shape.keyWidth());
    }
  }

  /** Where the statistics of a query head begin in a primal tensor (heads,N), in bytes. */
  long statistic(int head) {
    return 4 * ((long) head * total + start);
  }

  /** Where the statistics of a query head begin in a tensor (k,heads,N), in bytes. */
  long statistic(int d, int head) {
    return 4 * (((long) (first + d) * shape.heads() + head) * total + start);
  }

  /** Where row i of a query head begins in direction d of the chunk of a tensor (k,N,Hq). */
  long queryRow(int d, int head, int i) {
    return queryAt(d, head) + 4 * i * shape.queryWidth();
  }

  /** Where row i of a query head begins in a primal tensor (N,Hq), in bytes. */
  long queryRow(int head, int i) {
    return queryAt(-1, head) + 4 * i * shape.queryWidth();
  }

  /** Calls back with every tile of the causal triangle, queries outermost. */
  void forEachTile(Consumer<Tile> action) {
    for (int query = 0; query < n; query += AttentionTiles.QUERIES) {
      int queries = Math.min(AttentionTiles.QUERIES, n - query);
      for (int key = tiles.firstTile(query); key < n; key += AttentionTiles.KEYS) {
        Tile t = tiles.tile(query, queries, query, key, n);
        if (t != null) {
          action.accept(t);
        }
      }
    }
  }

  /** Direction −1 stands for a primal tensor. */
  private long queryAt(int d, int head) {
    long row = (d < 0 ? 0 : (long) (first + d) * total) + start;
    return 4 * (row * shape.queryWidth() + (long) head * shape.headSize());
  }

  private long keyAt(int d) {
    long row = (d < 0 ? 0 : (long) (first + d) * total) + start;
    return 4 * (row * shape.keyWidth() + (long) keyHead * shape.headSize());
  }
}
