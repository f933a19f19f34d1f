package dev.lethe.backend.cpu.attention;

import static dev.lethe.backend.cpu.attention.AttentionTask.FLOAT;

import dev.lethe.backend.cpu.attention.AttentionTiles.Tile;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import java.lang.foreign.MemorySegment;

/**
 * Attention's backward mode. Directions of a chunk share the rebuilt probabilities of each tile.
 *
 * @param lse L (heads,N)
 * @param gO Ō (k,N,Hq)
 * @param delta D (k,heads,N) out
 */
record AttentionBackward(
    RowPrimitives rows,
    MemorySegment q,
    MemorySegment k,
    MemorySegment v,
    MemorySegment o,
    MemorySegment lse,
    MemorySegment gO,
    MemorySegment delta,
    MemorySegment gq,
    MemorySegment gk,
    MemorySegment gv) {
  /** Copies of a head that each direction needs. */
  static final int ARRAYS = 4;

  void run(AttentionTask task, Scratch scratch) {
    AttentionTiles tiles = task.tiles();
    int n = task.n();
    MemorySegment key = scratch.floats(Slot.K, tiles.headSize(n));
    MemorySegment value = scratch.floats(Slot.V, tiles.headSize(n));
    MemorySegment keyPanels = scratch.floats(Slot.K_PANELS, tiles.panelsSize(n));
    MemorySegment valuePanels = scratch.floats(Slot.V_PANELS, tiles.panelsSize(n));
    task.copyKey(k, key);
    task.copyKey(v, value);
    tiles.transpose(key, 0, n, keyPanels, 0);
    tiles.transpose(value, 0, n, valuePanels, 0);
    MemorySegment outK = zeroed(scratch, Slot.OUT_K, task);
    MemorySegment outV = zeroed(scratch, Slot.OUT_V, task);
    MemorySegment query = scratch.floats(Slot.Q, tiles.headSize(n));
    MemorySegment g = scratch.floats(Slot.G, task.copies());
    MemorySegment p = scratch.floats(Slot.PROBABILITIES, AttentionTiles.tileSize());
    MemorySegment gs = scratch.floats(Slot.GS, AttentionTiles.tileSize());
    float scale = (float) task.shape().scale();
    for (int member = 0; member < task.shape().group(); member++) {
      int head = task.head(member);
      task.copyQuery(q, head, query);
      task.copyQueries(gO, head, g);
      deltas(task, head);
      MemorySegment outQ = zeroed(scratch, Slot.OUT_Q, task);
      task.forEachTile(
          t -> {
            tiles.scores(t, query, 0, keyPanels, 0, p, false);
            tiles.probabilities(t, p, lse, task.statistic(head));
            for (int d = 0; d < task.directions(); d++) {
              long at = task.copyAt(d);
              tiles.scores(t, g, at, valuePanels, 0, gs, false);
              scoreAdjoints(task, t, task.statistic(d, head), p, gs);
              tiles.toQueries(t, gs, key, 0, outQ, at);
              tiles.toKeys(t, gs, query, 0, outK, at);
              tiles.toKeys(t, p, g, at, outV, at);
            }
          });
      task.storeQueries(outQ, head, scale, gq);
    }
    task.storeKeys(outK, scale, gk);
    task.storeKeys(outV, 1, gv);
  }

  /** D = rowsum(Ō∘O). */
  private void deltas(AttentionTask task, int head) {
    float[] sums = new float[task.n()];
    for (int d = 0; d < task.directions(); d++) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] = rows.dot(gO, task.queryRow(d, head, i), o, task.queryRow(head, i), task.shape().headSize());
      }
      MemorySegment.copy(sums, 0, delta, FLOAT, task.statistic(d, head), sums.length);
    }
  }

  /** gs = P∘(P̄ − D), where gs holds P̄. */
  private void scoreAdjoints(
      AttentionTask task, Tile t, long statistics, MemorySegment p, MemorySegment gs) {
    float[] d = new float[t.queries()];
    MemorySegment.copy(delta, FLOAT, statistics + 4L * t.query(), d, 0, d.length);
    for (int i = 0; i < d.length; i++) {
      task.tiles().weighted(t, i, p, gs, d[i], gs);
    }
  }

  private MemorySegment zeroed(Scratch scratch, Slot slot, AttentionTask task) {
    MemorySegment memory = scratch.floats(slot, task.copies());
    rows.fill(memory, 0, Math.toIntExact(task.copies()), 0);
    return memory;
  }
}
