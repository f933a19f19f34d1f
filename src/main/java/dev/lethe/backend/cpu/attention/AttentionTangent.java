package dev.lethe.backend.cpu.attention;

import static dev.lethe.backend.cpu.attention.AttentionTask.FLOAT;

import dev.lethe.backend.cpu.attention.AttentionTiles.Tile;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import java.lang.foreign.MemorySegment;

/**
 * Attention's tangent mode. Directions of a chunk share the rebuilt probabilities of each tile.
 *
 * @param lse L (heads,N)
 * @param dq q̇ (k,N,Hq) or null, as k̇ and v̇
 * @param dO Ȯ (k,N,Hq) out
 * @param mu μ (k,heads,N) out
 */
record AttentionTangent(
    RowPrimitives rows,
    MemorySegment q,
    MemorySegment k,
    MemorySegment v,
    MemorySegment o,
    MemorySegment lse,
    MemorySegment dq,
    MemorySegment dk,
    MemorySegment dv,
    MemorySegment dO,
    MemorySegment mu) {
  /** Copies of a head that each direction needs. */
  static final int ARRAYS = 4;

  void run(AttentionTask task, Scratch scratch) {
    AttentionTiles tiles = task.tiles();
    int n = task.n();
    MemorySegment key = scratch.floats(Slot.K, tiles.headSize(n));
    MemorySegment value = scratch.floats(Slot.V, tiles.headSize(n));
    MemorySegment keyPanels = scratch.floats(Slot.K_PANELS, tiles.panelsSize(n));
    task.copyKey(k, key);
    task.copyKey(v, value);
    tiles.transpose(key, 0, n, keyPanels, 0);
    MemorySegment dKey = scratch.floats(Slot.DK, task.copies());
    MemorySegment dKeyPanels = scratch.floats(Slot.DK_PANELS, task.panelCopies());
    if (dk != null) {
      task.copyKeys(dk, dKey);
      task.transposeAll(dKey, dKeyPanels);
    }
    MemorySegment dValue = scratch.floats(Slot.DV, task.copies());
    task.copyKeys(dv, dValue);
    MemorySegment query = scratch.floats(Slot.Q, tiles.headSize(n));
    MemorySegment dQuery = scratch.floats(Slot.DQ, task.copies());
    MemorySegment p = scratch.floats(Slot.PROBABILITIES, AttentionTiles.tileSize());
    MemorySegment ds = scratch.floats(Slot.DS, AttentionTiles.tileSize());
    MemorySegment means = scratch.floats(Slot.STATISTICS, (long) task.directions() * n);
    MemorySegment out = scratch.floats(Slot.OUT_Q, task.copies());
    for (int member = 0; member < task.shape().group(); member++) {
      int head = task.head(member);
      task.copyQuery(q, head, query);
      task.copyQueries(dq, head, dQuery);
      rows.fill(out, 0, Math.toIntExact(task.copies()), 0);
      rows.fill(means, 0, task.directions() * n, 0);
      task.forEachTile(
          t -> {
            tiles.scores(t, query, 0, keyPanels, 0, p, false);
            tiles.probabilities(t, p, lse, task.statistic(head));
            for (int d = 0; d < task.directions(); d++) {
              long at = task.copyAt(d);
              if (dq != null) {
                tiles.scores(t, dQuery, at, keyPanels, 0, ds, false);
              }
              if (dk != null) {
                tiles.scores(t, query, 0, dKeyPanels, task.panelsAt(d), ds, dq != null);
              }
              if (dq != null || dk != null) {
                weigh(task, t, p, ds, means, 4L * d * n);
                tiles.toQueries(t, ds, value, 0, out, at);
              }
              if (dv != null) {
                tiles.toQueries(t, p, dValue, at, out, at);
              }
            }
          });
      store(task, head, out, means);
    }
  }

  /** ds = P∘Ṡ, and its row sums added to the means; ds holds Ṡ before the scale c. */
  private void weigh(
      AttentionTask task,
      Tile t,
      MemorySegment p,
      MemorySegment ds,
      MemorySegment means,
      long meansAt) {
    float c = (float) task.shape().scale();
    for (int i = 0; i < t.queries(); i++) {
      long row = 4L * i * AttentionTiles.KEYS;
      int end = t.visible(i);
      float sum = c * rows.dot(p, row, ds, row, end);
      rows.weighted(c, p, row, ds, row, 0, ds, row, end);
      rows.fill(ds, row + 4L * end, AttentionTiles.KEYS - end, 0);
      long at = meansAt + 4L * (t.query() + i);
      means.set(FLOAT, at, means.get(FLOAT, at) + sum);
    }
  }

  /** Ȯ = (P∘Ṡ)V + PV̇ − μO. */
  private void store(AttentionTask task, int head, MemorySegment out, MemorySegment means) {
    task.storeQueries(out, head, 1, dO);
    for (int d = 0; d < task.directions(); d++) {
      for (int i = 0; i < task.n(); i++) {
        float mean = means.get(FLOAT, 4L * (d * task.n() + i));
        mu.set(FLOAT, task.statistic(d, head) + 4L * i, mean);
        rows.axpby(
            -mean, o, task.queryRow(head, i), 1, dO, task.queryRow(d, head, i),
            task.shape().headSize());
      }
    }
  }
}
