package dev.lethe.backend.kernel;

import dev.lethe.tensor.Tensor;

/** Checks that norms of a sum s (N,D) have in common; what a mode moves is (k,N,D). Some may be columns. */
final class ResidualNormChecks {
  private ResidualNormChecks() {}

  /** dx, df or both may be null, and ds where exactly one of them is the sum itself. */
  static void tangent(Arguments check, Tensor s, Tensor dx, Tensor df, Tensor ds, Tensor dy) {
    check.rank("dy", dy, 3);
    long k = dy.dim(0);
    check.columns("dy", dy, k, s.dim(0), s.dim(1));
    eachOrNull(check, "dx", dx, s, k);
    eachOrNull(check, "df", df, s, k);
    eachOrNull(check, "ds", ds, s, k);
    check.that(
        ds != null || (dx == null) != (df == null),
        "ds",
        "the sum's tangent to be wanted unless exactly one of dx and df is there",
        ds);
  }

  /** gs may be null. */
  static void backward(Arguments check, Tensor s, Tensor gs, Tensor gy, Tensor gx) {
    check.rank("gx", gx, 3);
    long k = gx.dim(0);
    check.columns("gx", gx, k, s.dim(0), s.dim(1));
    check.columnsOrNull("gs", gs, k, s.dim(0), s.dim(1));
    each(check, "gy", gy, s, k);
  }

  /** gy is (N,D); dgs may be null. */
  static void backwardTangent(
      Arguments check, Tensor s, Tensor gy, Tensor ds, Tensor dgs, Tensor dgy, Tensor dgx) {
    check.rank("dgx", dgx, 3);
    long k = dgx.dim(0);
    check.columns("dgx", dgx, k, s.dim(0), s.dim(1));
    check.activation("gy", gy, s.dim(0), s.dim(1));
    each(check, "ds", ds, s, k);
    check.columnsOrNull("dgs", dgs, k, s.dim(0), s.dim(1));
    each(check, "dgy", dgy, s, k);
  }

  private static void each(Arguments check, String what, Tensor tensor, Tensor s, long k) {
    check.activation(what, tensor, k, s.dim(0), s.dim(1));
  }

  private static void eachOrNull(Arguments check, String what, Tensor tensor, Tensor s, long k) {
    check.activationOrNull(what, tensor, k, s.dim(0), s.dim(1));
  }
}
