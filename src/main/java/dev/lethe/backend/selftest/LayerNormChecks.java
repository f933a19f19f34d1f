package dev.lethe.backend.selftest;

import static dev.lethe.backend.selftest.KernelCheck.of;

import dev.lethe.backend.LayerNormKernels;
import dev.lethe.backend.LayerNormKernels.Primal;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Layer norm in its four modes. */
final class LayerNormChecks {
  private static final double EPSILON = 1e-2;
  private static final int[] ROWS = {1, 7, 33, 60, 130};
  private static final int[] WIDTHS = {5, 16, 65, 512, 1000};
  private static final int K = 2;

  private LayerNormChecks() {}

  static List<KernelCheck> all() {
    return List.of(
        of("layerNorm", "forward", LayerNormChecks::primal),
        of(
            "layerNorm",
            "tangent",
            (s, i) -> {
              Primal p = primal(s, i);
              Tensor ds = each(s, i);
              Tensor dy = each(s, i);
              s.backend.run(new LayerNormKernels.Tangent(p, in(s, i), in(s, i), ds, dy));
            }),
        of(
            "layerNorm",
            "backward",
            (s, i) -> {
              Primal p = primal(s, i);
              s.backend.run(new LayerNormKernels.Backward(p, in(s, i), in(s, i), each(s, i)));
            }),
        of(
            "layerNorm",
            "backward tangent",
            (s, i) -> {
              Primal p = primal(s, i);
              Tensor gy = s.in(ROWS[i], WIDTHS[i]);
              s.backend.run(
                  new LayerNormKernels.BackwardTangent(
                      p, gy, in(s, i), in(s, i), in(s, i), each(s, i)));
            }));
  }

  private static Primal primal(Stage s, int i) {
    int n = ROWS[i];
    int d = WIDTHS[i];
    Primal p = new Primal(s.in(d), s.out(n, d), s.vectorOut(n), s.vectorOut(n));
    s.backend.run(
        new LayerNormKernels.Forward(p, s.in(d), EPSILON, s.in(n, d), s.in(n, d), s.out(n, d)));
    return p;
  }

  private static Tensor in(Stage s, int i) {
    return s.in(K, ROWS[i], WIDTHS[i]);
  }

  private static Tensor each(Stage s, int i) {
    return s.out(K, ROWS[i], WIDTHS[i]);
  }
}
