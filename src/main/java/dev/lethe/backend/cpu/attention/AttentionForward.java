package dev.lethe.backend.cpu.attention;

import dev.lethe.backend.cpu.attention.AttentionTiles.Tile;
import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.cpu.primitive.ScalarMath;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Attention's forward mode with a running maximum and sum per query. A task is one key head of one
 * sequence, with all query heads that read it. Single queries against a cache take a shorter way
 * that reads keys and values where they lie.
 */
public final class AttentionForward {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Queries of a sequence up to which copies and tiles do not pay. */
  private static final int FEW = 3;

  private final Cpu cpu;
  private final RowPrimitives rows;
  private final AttentionShape shape;
  private final AttentionTiles tiles;
  private final Packing queries;
  private final Packing keys;
  private final MemorySegment q;
  private final MemorySegment k;
  private final MemorySegment v;
  private final MemorySegment o;
  private final MemorySegment lse;

  /**
   * @param lse may be null
   */
  AttentionForward(
      Cpu cpu,
      AttentionShape shape,
      Packing queries,
      Packing keys,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment o,
      MemorySegment lse) {
    this.cpu = cpu;
    this.rows = cpu.rows();
    this.shape = shape;
    this.tiles = new AttentionTiles(cpu, shape);
    this.queries = queries;
    this.keys = keys;
    this.q = q;
    this.k = k;
    this.v = v;
    this.o = o;
    this.lse = lse;
  }

  void run() {
    int heads = shape.keyHeads();
    cpu.pool()
        .run(
            queries.count() * heads,
            (task, scratch) -> {
              int sequence = task / heads;
              if (queries.length(sequence) <= FEW) {
                few(sequence, task % heads, scratch);
              } else {
                many(sequence, task % heads, scratch);
              }
            });
  }

  private void few(int sequence, int keyHead, Scratch scratch) {
    int before = keys.length(sequence) - queries.length(sequence);
    MemorySegment s = scratch.floats(Slot.SCORES, keys.length(sequence));
    int size = shape.headSize();
    for (int g = 0; g < shape.group(); g++) {
      int head = keyHead * shape.group() + g;
      for (int i = 0; i < queries.length(sequence); i++) {
        int position = before + i;
        int first = shape.firstKey(position);
        int count = position + 1 - first;
        long query = queryAt(queries.start(sequence) + i, head);
        for (int j = 0; j < count; j++) {
          long key = keyAt(keys.start(sequence) + first + j, keyHead);
          s.set(FLOAT, 4L * j, rows.dot(q, query, k, key, size));
        }
        float scale = (float) shape.scale();
        float max = scale * rows.max(s, 0, count);
        float sum = rows.expSum(s, 0, count, scale, max);
        rows.fill(o, query, size, 0);
        for (int j = 0; j < count; j++) {
          long key = keyAt(keys.start(sequence) + first + j, keyHead);
          rows.axpby(s.get(FLOAT, 4L * j) / sum, v, key, 1, o, query, size);
        }
        setLogSum(head, queries.start(sequence) + i, max, sum);
      }
    }
  }

  private void many(int sequence, int keyHead, Scratch scratch) {
    int n = keys.length(sequence);
    long first = keyAt(keys.start(sequence), keyHead);
    MemorySegment values = scratch.floats(Slot.V, tiles.headSize(n));
    tiles.copyIn(k, first, 4 * shape.keyWidth(), n, values, 0);
    MemorySegment panels = scratch.floats(Slot.K_PANELS, tiles.panelsSize(n));
    tiles.transpose(values, 0, n, panels, 0);
    tiles.copyIn(v, first, 4 * shape.keyWidth(), n, values, 0);
    for (int g = 0; g < shape.group(); g++) {
      int head = keyHead * shape.group() + g;
      for (int i = 0; i < queries.length(sequence); i += AttentionTiles.QUERIES) {
        block(sequence, head, i, panels, values, scratch);
      }
    }
  }

  /** Queries {@code from …} of a sequence against all their keys. */
  private void block(
      int sequence,
      int head,
      int from,
      MemorySegment panels,
      MemorySegment values,
      Scratch scratch) {
    int n = keys.length(sequence);
    int count = Math.min(AttentionTiles.QUERIES, queries.length(sequence) - from);
    int position = n - queries.length(sequence) + from;
    MemorySegment in = scratch.floats(Slot.Q, tiles.headSize(AttentionTiles.QUERIES));
    MemorySegment out = scratch.floats(Slot.OUT_Q, tiles.headSize(AttentionTiles.QUERIES));
    MemorySegment s = scratch.floats(Slot.SCORES, AttentionTiles.tileSize());
    float[] max = new float[count];
    float[] sum = new float[count];
    Arrays.fill(max, Float.NEGATIVE_INFINITY);
    long at = queryAt(queries.start(sequence) + from, head);
    tiles.copyIn(q, at, 4 * shape.queryWidth(), count, in, 0);
    rows.fill(out, 0, count * tiles.width(), 0);
    for (int key = tiles.firstTile(position); key < n; key += AttentionTiles.KEYS) {
      Tile t = tiles.tile(0, count, position, key, n);
      if (t != null) {
        tiles.scores(t, in, 0, panels, 0, s, false);
        for (int i = 0; i < count; i++) {
          softmaxStep(t, i, s, max, sum, out);
        }
        tiles.toQueries(t, s, values, 0, out, 0);
      }
    }
    for (int i = 0; i < count; i++) {
      long row = 4L * i * tiles.width();
      tiles.copyOut(out, row, 1, 1 / sum[i], o, at + 4 * i * shape.queryWidth(), 0);
      setLogSum(head, queries.start(sequence) + from + i, max[i], sum[i]);
    }
  }

  /** Takes a tile into the running maximum and sum of query i, and scales what it has so far. */
  private void softmaxStep(
      Tile t, int i, MemorySegment s, float[] max, float[] sum, MemorySegment out) {
    float scale = (float) shape.scale();
    float old = max[i];
    float now = Math.max(old, scale * tiles.largest(t, s, i));
    float added = tiles.exponentials(t, s, i, scale, now);
    float keep = old == now ? 1 : ScalarMath.exp(old - now);
    max[i] = now;
    sum[i] = keep * sum[i] + added;
    if (keep != 1) {
      long row = 4L * i * tiles.width();
      rows.scale(keep, out, row, out, row, tiles.width());
    }
  }

  private void setLogSum(int head, long row, float max, float sum) {
    if (lse != null) {
      lse.set(FLOAT, 4 * ((long) head * queries.rows() + row), (float) (max + Math.log(sum)));
    }
  }

  private long queryAt(long row, int head) {
    return 4 * (row * shape.queryWidth() + (long) head * shape.headSize());
  }

  private long keyAt(long row, int head) {
    return 4 * (row * shape.keyWidth() + (long) head * shape.headSize());
  }
}
