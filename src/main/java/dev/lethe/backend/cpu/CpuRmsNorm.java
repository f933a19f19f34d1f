package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Residual add and root-mean-square norm; a row stays in the nearest cache for all its passes. */
final class CpuRmsNorm implements RmsNormKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;
  private final RowPrimitives rows;

  CpuRmsNorm(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void forward(Tensor w, double epsilon, Tensor x, Tensor f, Tensor s, Tensor y, Tensor r) {
    Require.rank("rmsNorm.forward: x", x, 2);
    long n = x.dim(0);
    long d = x.dim(1);
    Require.tensor("rmsNorm.forward: w", w, F32, d);
    Require.tensor("rmsNorm.forward: x", x, F32, n, d);
    Require.tensorOrNull("rmsNorm.forward: f", f, F32, n, d);
    Require.that((f == null) == (s == null), "rmsNorm.forward: s", "null exactly where f is", s);
    Require.tensorOrNull("rmsNorm.forward: s", s, F32, n, d);
    Require.tensor("rmsNorm.forward: y", y, F32, n, d);
    Require.tensor("rmsNorm.forward: r", r, F32, n);
    int width = width(d);
    MemorySegment weight = Cpu.memory(w);
    MemorySegment in = Cpu.memory(x);
    MemorySegment residual = f == null ? null : Cpu.memory(f);
    MemorySegment sum = f == null ? in : Cpu.memory(s);
    MemorySegment out = Cpu.memory(y);
    MemorySegment reciprocal = Cpu.memory(r);
    cpu.pool()
        .runRanges(
            Math.toIntExact(n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                if (residual != null) {
                  rows.add(in, at, residual, at, sum, at, width);
                }
                double mean = rows.dot(sum, at, sum, at, width) / (double) d;
                float rr = (float) (1 / Math.sqrt(mean + epsilon));
                reciprocal.set(FLOAT, 4L * row, rr);
                combine(null, 0, weight, rr, sum, at, 0, sum, at, 0, sum, at, 0, out, at, width);
              }
            });
  }

  @Override
  public void tangent(Tensor w, Tensor s, Tensor r, Tensor dx, Tensor df, Tensor ds, Tensor dy) {
    long n = requirePrimal("rmsNorm.tangent", w, s, r);
    long d = s.dim(1);
    Require.rank("rmsNorm.tangent: dy", dy, 3);
    long k = dy.dim(0);
    Require.tensor("rmsNorm.tangent: dy", dy, F32, k, n, d);
    Require.tensorOrNull("rmsNorm.tangent: dx", dx, F32, k, n, d);
    Require.tensorOrNull("rmsNorm.tangent: df", df, F32, k, n, d);
    Require.tensorOrNull("rmsNorm.tangent: ds", ds, F32, k, n, d);
    Require.that(
        ds != null || (dx == null) != (df == null),
        "rmsNorm.tangent: ds",
        "the sum's tangent to be wanted unless exactly one of dx and df is there",
        ds);
    int width = width(d);
    MemorySegment weight = Cpu.memory(w);
    MemorySegment sum = Cpu.memory(s);
    MemorySegment reciprocal = Cpu.memory(r);
    Tensor one = dx == null ? df : dx;
    MemorySegment first = one == null ? null : Cpu.memory(one);
    MemorySegment second = dx == null || df == null ? null : Cpu.memory(df);
    MemorySegment dsum = ds == null ? first : Cpu.memory(ds);
    MemorySegment out = Cpu.memory(dy);
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                long primal = 4 * (row % n) * d;
                if (first == null) {
                  rows.fill(dsum, at, width, 0);
                } else if (second != null) {
                  rows.add(first, at, second, at, dsum, at, width);
                } else if (dsum != first) {
                  rows.copy(first, at, dsum, at, width);
                }
                double rr = reciprocal.get(FLOAT, 4 * (row % n));
                double drr = -rr * rr * rr * rows.dot(sum, primal, dsum, at, width) / d;
                combine(
                    null, 0, weight, rr, dsum, at, drr, sum, primal, 0, sum, primal, 0, out, at,
                    width);
              }
            });
  }

  @Override
  public void backward(Tensor w, Tensor s, Tensor r, Tensor gs, Tensor gy, Tensor gx) {
    long n = requirePrimal("rmsNorm.backward", w, s, r);
    long d = s.dim(1);
    Require.rank("rmsNorm.backward: gx", gx, 3);
    long k = gx.dim(0);
    Require.tensor("rmsNorm.backward: gx", gx, F32, k, n, d);
    Require.tensor("rmsNorm.backward: gy", gy, F32, k, n, d);
    Require.tensorOrNull("rmsNorm.backward: gs", gs, F32, k, n, d);
    int width = width(d);
    MemorySegment weight = Cpu.memory(w);
    MemorySegment sum = Cpu.memory(s);
    MemorySegment reciprocal = Cpu.memory(r);
    MemorySegment base = gs == null ? null : Cpu.memory(gs);
    MemorySegment g = Cpu.memory(gy);
    MemorySegment out = Cpu.memory(gx);
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                long primal = 4 * (row % n) * d;
                double rr = reciprocal.get(FLOAT, 4 * (row % n));
                double c = (double) rows.dot3(weight, 0, g, at, sum, primal, width) / d;
                combine(
                    base, at, weight, rr, g, at, 0, g, at, -rr * rr * rr * c, sum, primal, 0, out,
                    at, width);
              }
            });
  }

  @Override
  public void backwardTangent(
      Tensor w, Tensor s, Tensor r, Tensor gy, Tensor ds, Tensor dgs, Tensor dgy, Tensor dgx) {
    long n = requirePrimal("rmsNorm.backwardTangent", w, s, r);
    long d = s.dim(1);
    Require.rank("rmsNorm.backwardTangent: dgx", dgx, 3);
    long k = dgx.dim(0);
    Require.tensor("rmsNorm.backwardTangent: dgx", dgx, F32, k, n, d);
    Require.tensor("rmsNorm.backwardTangent: gy", gy, F32, n, d);
    Require.tensor("rmsNorm.backwardTangent: ds", ds, F32, k, n, d);
    Require.tensorOrNull("rmsNorm.backwardTangent: dgs", dgs, F32, k, n, d);
    Require.tensor("rmsNorm.backwardTangent: dgy", dgy, F32, k, n, d);
    int width = width(d);
    MemorySegment weight = Cpu.memory(w);
    MemorySegment sum = Cpu.memory(s);
    MemorySegment reciprocal = Cpu.memory(r);
    MemorySegment g = Cpu.memory(gy);
    MemorySegment dsum = Cpu.memory(ds);
    MemorySegment base = dgs == null ? null : Cpu.memory(dgs);
    MemorySegment dg = Cpu.memory(dgy);
    MemorySegment out = Cpu.memory(dgx);
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                long primal = 4 * (row % n) * d;
                double rr = reciprocal.get(FLOAT, 4 * (row % n));
                double r3 = rr * rr * rr;
                double drr = -r3 * rows.dot(sum, primal, dsum, at, width) / d;
                double c = (double) rows.dot3(weight, 0, g, primal, sum, primal, width) / d;
                double dc =
                    ((double) rows.dot3(weight, 0, g, primal, dsum, at, width)
                            + rows.dot3(weight, 0, dg, at, sum, primal, width))
                        / d;
                double ofSum = -(3 * rr * rr * drr * c + r3 * dc);
                combine(
                    base, at, weight, drr, g, primal, rr, dg, at, ofSum, sum, primal, -r3 * c, out,
                    at, width, dsum, at);
              }
            });
  }

  /** y = base + w∘(a₁g₁ + a₂g₂) + c₁s₁ + c₂s₁. */
  private void combine(
      MemorySegment base,
      long baseO,
      MemorySegment w,
      double a1,
      MemorySegment g1,
      long g1o,
      double a2,
      MemorySegment g2,
      long g2o,
      double c1,
      MemorySegment s1,
      long s1o,
      double c2,
      MemorySegment y,
      long yo,
      int n) {
    combine(base, baseO, w, a1, g1, g1o, a2, g2, g2o, c1, s1, s1o, c2, y, yo, n, s1, s1o);
  }

  /** y = base + w∘(a₁g₁ + a₂g₂) + c₁s₁ + c₂s₂, where base may be null for zero. */
  private void combine(
      MemorySegment base,
      long baseO,
      MemorySegment w,
      double a1,
      MemorySegment g1,
      long g1o,
      double a2,
      MemorySegment g2,
      long g2o,
      double c1,
      MemorySegment s1,
      long s1o,
      double c2,
      MemorySegment y,
      long yo,
      int n,
      MemorySegment s2,
      long s2o) {
    for (int i = 0; i < n; i += Cpu.ZEROS) {
      long at = 4L * i;
      rows.normCombine(
          base == null ? cpu.zeros() : base, base == null ? 0 : baseO + at, w, at, (float) a1, g1,
          g1o + at, (float) a2, g2, g2o + at, (float) c1, s1, s1o + at, (float) c2, s2, s2o + at, y,
          yo + at, Math.min(Cpu.ZEROS, n - i));
    }
  }

  private static int width(long d) {
    return Math.toIntExact(d);
  }

  private static long requirePrimal(String operation, Tensor w, Tensor s, Tensor r) {
    Require.rank(operation + ": s", s, 2);
    Require.tensor(operation + ": s", s, F32, s.dim(0), s.dim(1));
    Require.tensor(operation + ": w", w, F32, s.dim(1));
    Require.tensor(operation + ": r", r, F32, s.dim(0));
    return s.dim(0);
  }
}
