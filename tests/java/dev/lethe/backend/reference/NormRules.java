package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.tensor.Tensor;

/** (x, f) ↦ (s, y), or x ↦ y without the residual. */
record NormRules(int n, int d, boolean residual) implements BlockRules {
  private static final double EPSILON = 1e-3;

  @Override
  public int[] parts() {
    return residual ? new int[] {n * d, n * d} : new int[] {n * d};
  }

  @Override
  public double[] forward(double[] x) {
    Kept kept = keep(x);
    return residual ? Flat.join(kept.s, kept.y) : Flat.join(kept.y);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Kept kept = keep(x);
    Tensor dy = Flat.output(2, n, d);
    if (!residual) {
      BACKEND.run(
          new RmsNormKernels.Tangent(
              new RmsNormKernels.Primal(weight(), kept.s, kept.r),
              Flat.pair(dx, 0, n, d),
              null,
              null,
              dy));
      return Flat.second(dy);
    }
    Tensor ds = Flat.output(2, n, d);
    Tensor dIn = Flat.pairOrNull(dx, 0, n, d);
    Tensor df = Flat.pairOrNull(dx, n * d, n, d);
    BACKEND.run(
        new RmsNormKernels.Tangent(
            new RmsNormKernels.Primal(weight(), kept.s, kept.r), dIn, df, ds, dy));
    return Flat.second(ds, dy);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Kept kept = keep(x);
    Tensor gx = Flat.output(2, n, d);
    Tensor gs = residual ? Flat.pair(gy, 0, n, d) : null;
    Tensor gOut = Flat.pair(gy, residual ? n * d : 0, n, d);
    BACKEND.run(
        new RmsNormKernels.Backward(
            new RmsNormKernels.Primal(weight(), kept.s, kept.r), gs, gOut, gx));
    return residual ? Flat.second(gx, gx) : Flat.second(gx);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    Kept kept = keep(x);
    Tensor dgx = Flat.output(2, n, d);
    double[] sum = dx.clone();
    if (residual) {
      for (int i = 0; i < n * d; i++) {
        sum[i] += dx[n * d + i];
      }
    }
    Tensor ds = Flat.pair(sum, 0, n, d);
    Tensor dgs = residual ? Flat.pairOrNull(dgy, 0, n, d) : null;
    int at = residual ? n * d : 0;
    Tensor gOut = Flat.piece(gy, at, n, d);
    Tensor dgOut = Flat.pair(dgy, at, n, d);
    BACKEND.run(
        new RmsNormKernels.BackwardTangent(
            new RmsNormKernels.Primal(weight(), kept.s, kept.r), gOut, ds, dgs, dgOut, dgx));
    return residual ? Flat.second(dgx, dgx) : Flat.second(dgx);
  }

  private Tensor weight() {
    Tensor w = Flat.zeros(d);
    for (int i = 0; i < d; i++) {
      w.set(i, 1 + Math.sin(i));
    }
    return w;
  }

  private Kept keep(double[] x) {
    Tensor in = Flat.piece(x, 0, n, d);
    Tensor f = residual ? Flat.piece(x, n * d, n, d) : null;
    Tensor s = residual ? Flat.output(n, d) : null;
    Tensor y = Flat.output(n, d);
    Tensor r = Flat.output(n);
    BACKEND.run(new RmsNormKernels.Forward(weight(), EPSILON, in, f, s, y, r));
    return new Kept(residual ? s : in, y, r);
  }

  private record Kept(Tensor s, Tensor y, Tensor r) {}
}
