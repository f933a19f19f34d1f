package dev.lethe.backend.selftest;

import static dev.lethe.backend.selftest.KernelCheck.of;

import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RopeTable;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Embedding, norm, rotary positions, gated activation, row selection, dropout, and the loss. */
final class LayerChecks {
  private static final double EPSILON = 1e-5;
  private static final int[] ROWS = {1, 7, 33, 60, 130};
  private static final int[] WIDTHS = {3, 16, 65, 512, 1000};
  private static final int K = 2;

  private LayerChecks() {}

  static List<KernelCheck> all() {
    return List.of(
        of("embedding", "forward", LayerChecks::embedding),
        of("rmsNorm", "forward", LayerChecks::normForward),
        of("rmsNorm", "tangent", LayerChecks::normTangent),
        of("rmsNorm", "backward", LayerChecks::normBackward),
        of("rmsNorm", "backward tangent", LayerChecks::normBackwardTangent),
        of("rope", "forward, tangent", (s, i) -> rope(s, i, false)),
        of("rope", "backward, its tangent", (s, i) -> rope(s, i, true)),
        of("swiGlu", "forward", LayerChecks::swiForward),
        of("swiGlu", "tangent", LayerChecks::swiTangent),
        of("swiGlu", "backward", LayerChecks::swiBackward),
        of("swiGlu", "backward tangent", LayerChecks::swiBackwardTangent),
        of(
            "rows",
            "gather",
            (s, i) ->
                s.backend.run(
                    new RowKernels.Gather(
                        s.indices(0, 2, 5), s.in(K, 6, WIDTHS[i]), s.out(K, 3, WIDTHS[i])))),
        of(
            "rows",
            "scatter",
            (s, i) ->
                s.backend.run(
                    new RowKernels.Scatter(
                        s.indices(0, 2, 5), s.in(K, 3, WIDTHS[i]), s.out(K, 6, WIDTHS[i])))),
        of(
            "rows",
            "addOuter",
            (s, i) ->
                s.backend.run(
                    new RowKernels.AddOuter(
                        s.in(ROWS[i], 11), s.in(ROWS[i], WIDTHS[i]), 0.3, s.sum(11, WIDTHS[i])))),
        of(
            "dropout",
            "all modes",
            (s, i) ->
                s.backend.run(
                    new DropoutKernels.Apply(
                        42,
                        0.3,
                        s.randomIndices(2 * ROWS[i], Integer.MAX_VALUE).reshape(ROWS[i], 2),
                        s.in(K, ROWS[i], WIDTHS[i]),
                        s.out(K, ROWS[i], WIDTHS[i]),
                        false))),
        of(
            "loss",
            "logits",
            (s, i) ->
                s.backend.run(
                    new LossKernels.Logits(
                        s.frozen(29, WIDTHS[i]), s.in(ROWS[i], WIDTHS[i]), s.out(ROWS[i], 29)))),
        of("loss", "forward, backward", LayerChecks::lossForward),
        of("loss", "tangent", LayerChecks::lossTangent),
        of("loss", "backward tangent", LayerChecks::lossBackwardTangent),
        of("loss", "drawn", LayerChecks::lossDrawn));
  }

  private static void embedding(Stage s, int i) {
    Tensor table = Tensor.of(Shape.of(29, WIDTHS[i]), s.weights(1, 29, WIDTHS[i]));
    FrozenEmbedding frozen = s.backend.freezeEmbedding(table, s.scope());
    s.backend.run(
        new EmbeddingKernels.Forward(
            frozen, s.randomIndices(ROWS[i], 29), s.out(ROWS[i], WIDTHS[i])));
  }

  private static Norm norm(Stage s, int i) {
    int n = ROWS[i];
    int d = WIDTHS[i];
    Norm norm = new Norm(s.in(d), s.out(n, d), s.vectorOut(n));
    Tensor y = s.out(n, d);
    s.backend.run(
        new RmsNormKernels.Forward(norm.w, EPSILON, s.in(n, d), s.in(n, d), norm.sum, y, norm.r));
    return norm;
  }

  private static void normForward(Stage s, int i) {
    norm(s, i);
  }

  private static void normTangent(Stage s, int i) {
    Norm p = norm(s, i);
    long[] shape = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(
        new RmsNormKernels.Tangent(
            new RmsNormKernels.Primal(p.w, p.sum, p.r),
            s.in(shape),
            s.in(shape),
            s.out(shape),
            s.out(shape)));
  }

  private static void normBackward(Stage s, int i) {
    Norm p = norm(s, i);
    long[] shape = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(
        new RmsNormKernels.Backward(
            new RmsNormKernels.Primal(p.w, p.sum, p.r), s.in(shape), s.in(shape), s.out(shape)));
  }

  private static void normBackwardTangent(Stage s, int i) {
    Norm p = norm(s, i);
    long[] shape = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(
        new RmsNormKernels.BackwardTangent(
            new RmsNormKernels.Primal(p.w, p.sum, p.r),
            s.in(ROWS[i], WIDTHS[i]),
            s.in(shape),
            s.in(shape),
            s.in(shape),
            s.out(shape)));
  }

  private static void rope(Stage s, int i, boolean back) {
    int half = new int[] {1, 4, 16, 32, 64}[i];
    RopeTable table = new RopeTable(s.vector(40, half), s.vector(40, half));
    Tensor positions = s.randomIndices(ROWS[i], 40);
    Tensor x = s.in(K, ROWS[i], 3L * 2 * half);
    Tensor y = s.out(K, ROWS[i], 3L * 2 * half);
    if (back) {
      s.backend.run(new RopeKernels.Rotate(table, positions, x, y, true));
    } else {
      s.backend.run(new RopeKernels.Rotate(table, positions, x, y, false));
    }
  }

  private static void swiForward(Stage s, int i) {
    long[] n = {ROWS[i], WIDTHS[i]};
    s.backend.run(new SwiGluKernels.Forward(s.in(n), s.in(n), s.out(n)));
  }

  private static void swiTangent(Stage s, int i) {
    long[] n = {ROWS[i], WIDTHS[i]};
    long[] k = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(new SwiGluKernels.Tangent(s.in(n), s.in(n), s.in(k), s.in(k), s.out(k)));
  }

  private static void swiBackward(Stage s, int i) {
    long[] n = {ROWS[i], WIDTHS[i]};
    long[] k = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(new SwiGluKernels.Backward(s.in(n), s.in(n), s.in(k), s.out(k), s.out(k)));
  }

  private static void swiBackwardTangent(Stage s, int i) {
    long[] n = {ROWS[i], WIDTHS[i]};
    long[] k = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(
        new SwiGluKernels.BackwardTangent(
            s.in(n), s.in(n), s.in(n), s.in(k), s.in(k), s.in(k), s.out(k), s.out(k)));
  }

  private static Loss loss(Stage s, int i) {
    int m = ROWS[i];
    int d = WIDTHS[i];
    int v = 29;
    FrozenLinear head = s.frozen(v, d);
    Loss loss = new Loss(head, s.randomIndices(m, v), s.vector(m), s.out(m, v));
    s.backend.run(
        new LossKernels.Forward(
            head, s.in(m, d), loss.targets, loss.weights, s.vectorOut(m), loss.p, s.out(m, d)));
    return loss;
  }

  private static void lossForward(Stage s, int i) {
    loss(s, i);
  }

  private static void lossTangent(Stage s, int i) {
    Loss l = loss(s, i);
    s.backend.run(
        new LossKernels.Tangent(
            l.head, l.p, l.targets, s.in(K, ROWS[i], WIDTHS[i]), s.vectorOut(K, ROWS[i])));
  }

  private static void lossBackwardTangent(Stage s, int i) {
    Loss l = loss(s, i);
    long[] k = {K, ROWS[i], WIDTHS[i]};
    s.backend.run(new LossKernels.BackwardTangent(l.head, l.p, l.weights, s.in(k), s.out(k)));
  }

  /** From rows of four equal probabilities, which no format rounds, so that all draw the same labels. */
  private static void lossDrawn(Stage s, int i) {
    int m = ROWS[i];
    int d = WIDTHS[i];
    int v = 29;
    double[] w = s.weights(1 / Math.sqrt(d), v, d);
    double[] p = new double[m * v];
    double[] gx = new double[m * d];
    for (int t = 0; t < m; t++) {
      for (int c = t; c < t + 4; c++) {
        p[t * v + c % v] = 0.25;
        for (int at = 0; at < d; at++) {
          gx[t * d + at] += 0.25 * (w[c % v * d + at] - w[at]);
        }
      }
    }
    Tensor weights = s.vectorOut(m);
    s.backend.vectors().fill(weights, 1);
    s.backend.run(
        new LossKernels.Drawn(
            s.backend.freezeLinear(Tensor.of(Shape.of(v, d), w), null, true, s.scope()),
            s.given(p, m, v),
            s.indices(new int[m]),
            weights,
            s.given(gx, m, d),
            5,
            s.indexOut(K, m),
            s.out(K, m, d)));
  }

  private record Norm(Tensor w, Tensor sum, Tensor r) {}

  private record Loss(FrozenLinear head, Tensor targets, Tensor weights, Tensor p) {}
}
