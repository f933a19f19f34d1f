package dev.lethe.backend.cpu.attention;

import static dev.lethe.backend.cpu.attention.AttentionTask.FLOAT;

import dev.lethe.backend.cpu.attention.AttentionTiles.Tile;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import java.lang.foreign.MemorySegment;

/**
 * Attention's backward tangent: twelve products of a tile, two of which (S and P̄) the directions
 * of a chunk share.
 *
 * @param primal the primal values, with Ō and D
 * @param tangent the tangents, with Ō̇; each but Ȯ and μ may be null
 * @param dgq Q̄̇ (k,N,Hq) out, as K̄̇ and V̄̇ (k,N,Hk)
 */
record AttentionBackwardTangent(
    RowPrimitives rows,
    Primal primal,
    Tangent tangent,
    MemorySegment dgq,
    MemorySegment dgk,
    MemorySegment dgv) {
  /** Copies of a head that each direction needs. */
  static final int ARRAYS = 9;

  record Primal(
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment o,
      MemorySegment lse,
      MemorySegment gO,
      MemorySegment delta) {}

  record Tangent(
      MemorySegment dq,
      MemorySegment dk,
      MemorySegment dv,
      MemorySegment dO,
      MemorySegment mu,
      MemorySegment dgO) {}

  void run(AttentionTask task, Scratch scratch) {
    Work work = new Work(task, scratch);
    work.copyKeys();
    for (int member = 0; member < task.shape().group(); member++) {
      work.head(task.head(member));
    }
    float scale = (float) task.shape().scale();
    task.storeKeys(work.outK, scale, dgk);
    task.storeKeys(work.outV, 1, dgv);
  }

  /** A task's memory. */
  private final class Work {
    private final AttentionTask task;
    private final AttentionTiles tiles;
    private final int n;
    private final MemorySegment query;
    private final MemorySegment key;
    private final MemorySegment value;
    private final MemorySegment keyPanels;
    private final MemorySegment valuePanels;
    private final MemorySegment g;
    private final MemorySegment dQuery;
    private final MemorySegment dKey;
    private final MemorySegment dValue;
    private final MemorySegment dKeyPanels;
    private final MemorySegment dValuePanels;
    private final MemorySegment dg;
    private final MemorySegment outQ;
    private final MemorySegment outK;
    private final MemorySegment outV;
    private final MemorySegment dDelta;
    private final MemorySegment p;
    private final MemorySegment gp;
    private final MemorySegment gs;
    private final MemorySegment ds;
    private final MemorySegment dp;

    Work(AttentionTask task, Scratch scratch) {
      this.task = task;
      this.tiles = task.tiles();
      this.n = task.n();
      long one = tiles.headSize(n);
      long all = task.copies();
      query = scratch.floats(Slot.Q, one);
      key = scratch.floats(Slot.K, one);
      value = scratch.floats(Slot.V, one);
      g = scratch.floats(Slot.G, one);
      keyPanels = scratch.floats(Slot.K_PANELS, tiles.panelsSize(n));
      valuePanels = scratch.floats(Slot.V_PANELS, tiles.panelsSize(n));
      dQuery = scratch.floats(Slot.DQ, all);
      dKey = scratch.floats(Slot.DK, all);
      dValue = scratch.floats(Slot.DV, all);
      dg = scratch.floats(Slot.DG, all);
      dKeyPanels = scratch.floats(Slot.DK_PANELS, task.panelCopies());
      dValuePanels = scratch.floats(Slot.DV_PANELS, task.panelCopies());
      outQ = scratch.floats(Slot.OUT_Q, all);
      outK = scratch.floats(Slot.OUT_K, all);
      outV = scratch.floats(Slot.OUT_V, all);
      dDelta = scratch.floats(Slot.DELTA, (long) task.directions() * n);
      p = scratch.floats(Slot.PROBABILITIES, AttentionTiles.tileSize());
      gp = scratch.floats(Slot.GP, AttentionTiles.tileSize());
      gs = scratch.floats(Slot.GS, AttentionTiles.tileSize());
      ds = scratch.floats(Slot.DS, AttentionTiles.tileSize());
      dp = scratch.floats(Slot.DP, AttentionTiles.tileSize());
    }

    void copyKeys() {
      task.copyKey(primal.k, key);
      task.copyKey(primal.v, value);
      tiles.transpose(key, 0, n, keyPanels, 0);
      tiles.transpose(value, 0, n, valuePanels, 0);
      if (tangent.dk != null) {
        task.copyKeys(tangent.dk, dKey);
        task.transposeAll(dKey, dKeyPanels);
      }
      if (tangent.dv != null) {
        task.copyKeys(tangent.dv, dValue);
        task.transposeAll(dValue, dValuePanels);
      }
      rows.fill(outK, 0, Math.toIntExact(task.copies()), 0);
      rows.fill(outV, 0, Math.toIntExact(task.copies()), 0);
    }

    void head(int head) {
      task.copyQuery(primal.q, head, query);
      task.copyQuery(primal.gO, head, g);
      task.copyQueries(tangent.dq, head, dQuery);
      task.copyQueries(tangent.dgO, head, dg);
      for (int d = 0; d < task.directions(); d++) {
        deltaTangents(head, d);
      }
      rows.fill(outQ, 0, Math.toIntExact(task.copies()), 0);
      task.forEachTile(
          t -> {
            tiles.scores(t, query, 0, keyPanels, 0, p, false);
            tiles.probabilities(t, p, primal.lse, task.statistic(head));
            tiles.scores(t, g, 0, valuePanels, 0, gp, false);
            for (int i = 0; i < t.queries(); i++) {
              tiles.weighted(t, i, p, gp, delta(head, t.query() + i), gs);
            }
            for (int d = 0; d < task.directions(); d++) {
              direction(t, head, d);
            }
          });
      task.storeQueries(outQ, head, (float) task.shape().scale(), dgq);
    }

    /** Ḋ = rowsum(Ō̇∘O + Ō∘Ȯ). */
    private void deltaTangents(int head, int d) {
      int size = task.shape().headSize();
      for (int i = 0; i < n; i++) {
        long at = task.queryRow(d, head, i);
        long ofPrimal = task.queryRow(head, i);
        float sum = rows.dot(primal.gO, ofPrimal, tangent.dO, at, size);
        if (tangent.dgO != null) {
          sum += rows.dot(tangent.dgO, at, primal.o, ofPrimal, size);
        }
        dDelta.set(FLOAT, 4L * (d * n + i), sum);
      }
    }

    private void direction(Tile t, int head, int d) {
      long at = task.copyAt(d);
      long panelsAt = task.panelsAt(d);
      scoreTangents(t, ds, dQuery, tangent.dq != null, query, dKeyPanels, tangent.dk != null, d,
          keyPanels);
      scoreTangents(t, dp, dg, tangent.dgO != null, g, dValuePanels, tangent.dv != null, d,
          valuePanels);
      for (int i = 0; i < t.queries(); i++) {
        second(t, head, d, i);
      }
      tiles.toQueries(t, dp, key, 0, outQ, at);
      tiles.toKeys(t, dp, query, 0, outK, at);
      tiles.toKeys(t, ds, g, 0, outV, at);
      if (tangent.dk != null) {
        tiles.toQueries(t, gs, dKey, at, outQ, at);
      }
      if (tangent.dq != null) {
        tiles.toKeys(t, gs, dQuery, at, outK, at);
      }
      if (tangent.dgO != null) {
        tiles.toKeys(t, p, dg, at, outV, at);
      }
    }

    /** out = ȧ·Bᵀ + a·Ḃᵀ. */
    private void scoreTangents(
        Tile t,
        MemorySegment out,
        MemorySegment da,
        boolean left,
        MemorySegment a,
        MemorySegment dPanels,
        boolean right,
        int d,
        MemorySegment panels) {
      if (left) {
        tiles.scores(t, da, task.copyAt(d), panels, 0, out, false);
      }
      if (right) {
        tiles.scores(t, a, 0, dPanels, task.panelsAt(d), out, left);
      }
      if (!left && !right) {
        rows.fill(out, 0, Math.toIntExact(AttentionTiles.tileSize()), 0);
      }
    }

    /** Turns row i of ds into Ṗ and of dp into S̄̇, and what is hidden into zeros. */
    private void second(Tile t, int head, int d, int i) {
      long row = 4L * i * AttentionTiles.KEYS;
      int end = t.visible(i);
      int query = t.query() + i;
      rows.attentionSecond(
          p, ds, gp, dp, row, end, (float) task.shape().scale(),
          tangent.mu.get(FLOAT, task.statistic(d, head) + 4L * query), delta(head, query),
          dDelta.get(FLOAT, 4L * (d * n + query)));
      int hidden = AttentionTiles.KEYS - end;
      rows.fill(ds, row + 4L * end, hidden, 0);
      rows.fill(dp, row + 4L * end, hidden, 0);
    }

    private float delta(int head, int query) {
      return primal.delta.get(FLOAT, task.statistic(head) + 4L * query);
    }
  }
}
