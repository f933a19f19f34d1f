package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.tensor.Tensor;

/** Residual add and root-mean-square norm by kernels/rms_norm.cu. */
final class CudaRmsNorm implements RmsNormKernels {
  private static final int MOST_THREADS = 512;

  private final Cuda cuda;

  CudaRmsNorm(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Tensor w, double epsilon, Tensor x, Tensor f, Tensor s, Tensor y, Tensor r) {
    Require.rank("rmsNorm.forward: x", x, 2);
    long n = x.dim(0);
    long d = x.dim(1);
    Require.tensor("rmsNorm.forward: w", w, cuda.type(), d);
    Require.tensor("rmsNorm.forward: x", x, cuda.type(), n, d);
    Require.tensorOrNull("rmsNorm.forward: f", f, cuda.type(), n, d);
    Require.that((f == null) == (s == null), "rmsNorm.forward: s", "null exactly where f is", s);
    Require.tensorOrNull("rmsNorm.forward: s", s, cuda.type(), n, d);
    Require.tensor("rmsNorm.forward: y", y, cuda.type(), n, d);
    Require.tensor("rmsNorm.forward: r", r, F32, n);
    if (n > 0) {
      cuda.kernel("rms_norm_forward")
          .with(w).with(x).with(f).with(s).with(y).with(r).with(d).with((float) epsilon)
          .run(grid(n, d));
    }
  }

  @Override
  public void tangent(Tensor w, Tensor s, Tensor r, Tensor dx, Tensor df, Tensor ds, Tensor dy) {
    Rows rows = rows("rmsNorm.tangent", w, s, r, "dy", dy);
    requireEachOrNull("rmsNorm.tangent: dx", dx, rows);
    requireEachOrNull("rmsNorm.tangent: df", df, rows);
    requireEachOrNull("rmsNorm.tangent: ds", ds, rows);
    Require.that(
        ds != null || (dx == null) != (df == null),
        "rmsNorm.tangent: ds",
        "the sum's tangent to be wanted unless exactly one of dx and df is there",
        ds);
    if (rows.n > 0) {
      cuda.kernel("rms_norm_tangent")
          .with(w).with(s).with(r).with(dx).with(df).with(ds).with(dy)
          .with(rows.n).with(rows.d).with(rows.k)
          .run(grid(rows.n, rows.d));
    }
  }

  @Override
  public void backward(Tensor w, Tensor s, Tensor r, Tensor gs, Tensor gy, Tensor gx) {
    Rows rows = rows("rmsNorm.backward", w, s, r, "gx", gx);
    requireEach("rmsNorm.backward: gy", gy, rows);
    requireEachOrNull("rmsNorm.backward: gs", gs, rows);
    if (rows.n > 0) {
      cuda.kernel("rms_norm_backward")
          .with(w).with(s).with(r).with(gs).with(gy).with(gx)
          .with(rows.n).with(rows.d).with(rows.k)
          .run(grid(rows.n, rows.d));
    }
  }

  @Override
  public void backwardTangent(
      Tensor w, Tensor s, Tensor r, Tensor gy, Tensor ds, Tensor dgs, Tensor dgy, Tensor dgx) {
    Rows rows = rows("rmsNorm.backwardTangent", w, s, r, "dgx", dgx);
    Require.tensor("rmsNorm.backwardTangent: gy", gy, cuda.type(), rows.n, rows.d);
    requireEach("rmsNorm.backwardTangent: ds", ds, rows);
    requireEachOrNull("rmsNorm.backwardTangent: dgs", dgs, rows);
    requireEach("rmsNorm.backwardTangent: dgy", dgy, rows);
    if (rows.n > 0) {
      cuda.kernel("rms_norm_backward_tangent")
          .with(w).with(s).with(r).with(gy).with(ds).with(dgs).with(dgy).with(dgx)
          .with(rows.n).with(rows.d).with(rows.k)
          .run(grid(rows.n, rows.d));
    }
  }

  private Grid grid(long n, long d) {
    return cuda.blocks(n, d, MOST_THREADS);
  }

  /** Checks the primal and the output (k,N,D). */
  private Rows rows(String operation, Tensor w, Tensor s, Tensor r, String name, Tensor out) {
    Require.rank(operation + ": s", s, 2);
    long n = s.dim(0);
    long d = s.dim(1);
    Require.tensor(operation + ": s", s, cuda.type(), n, d);
    Require.tensor(operation + ": w", w, cuda.type(), d);
    Require.tensor(operation + ": r", r, F32, n);
    Require.rank(operation + ": " + name, out, 3);
    Rows rows = new Rows(out.dim(0), n, d);
    requireEach(operation + ": " + name, out, rows);
    return rows;
  }

  private void requireEach(String what, Tensor tensor, Rows rows) {
    Require.tensor(what, tensor, cuda.type(), rows.k, rows.n, rows.d);
  }

  private void requireEachOrNull(String what, Tensor tensor, Rows rows) {
    Require.tensorOrNull(what, tensor, cuda.type(), rows.k, rows.n, rows.d);
  }

  private record Rows(long k, long n, long d) {}
}
