package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.tensor.Tensor;

/** (x, f) ↦ (s, y), or x ↦ y without the residual. */
record LayerNormRules(int n, int d, boolean residual) implements BlockRules {
  private static final LayerNormKernels KERNELS = new ReferenceLayerNorm();
  private static final double EPSILON = 1e-3;

  @Override
  public int[] parts() {
    return residual ? new int[] {n * d, n * d} : new int[] {n * d};
  }

  @Override
  public double[] forward(double[] x) {
    Kept kept = keep(x);
    return residual ? Flat.join(kept.p.s(), kept.y) : Flat.join(kept.y);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Tensor dy = Flat.output(2, n, d);
    if (!residual) {
      Tensor dIn = Flat.pair(dx, 0, n, d);
      KERNELS.tangent(new LayerNormKernels.Tangent(keep(x).p, dIn, null, null, dy));
      return Flat.second(dy);
    }
    Tensor ds = Flat.output(2, n, d);
    Tensor dIn = Flat.pairOrNull(dx, 0, n, d);
    Tensor df = Flat.pairOrNull(dx, n * d, n, d);
    KERNELS.tangent(new LayerNormKernels.Tangent(keep(x).p, dIn, df, ds, dy));
    return Flat.second(ds, dy);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Tensor gx = Flat.output(2, n, d);
    Tensor gs = residual ? Flat.pair(gy, 0, n, d) : null;
    Tensor gOut = Flat.pair(gy, residual ? n * d : 0, n, d);
    KERNELS.backward(new LayerNormKernels.Backward(keep(x).p, gs, gOut, gx));
    return residual ? Flat.second(gx, gx) : Flat.second(gx);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
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
    KERNELS.backwardTangent(
        new LayerNormKernels.BackwardTangent(keep(x).p, gOut, ds, dgs, dgOut, dgx));
    return residual ? Flat.second(dgx, dgx) : Flat.second(dgx);
  }

  private Kept keep(double[] x) {
    Tensor w = Flat.zeros(d);
    Tensor b = Flat.zeros(d);
    for (int i = 0; i < d; i++) {
      w.set(i, 1 + Math.sin(i));
      b.set(i, Math.cos(i));
    }
    Tensor in = Flat.piece(x, 0, n, d);
    Tensor f = residual ? Flat.piece(x, n * d, n, d) : null;
    Tensor s = residual ? Flat.output(n, d) : in;
    LayerNormKernels.Primal p =
        new LayerNormKernels.Primal(w, s, Flat.output(n), Flat.output(n));
    Tensor y = Flat.output(n, d);
    KERNELS.forward(new LayerNormKernels.Forward(p, b, EPSILON, in, f, y));
    return new Kept(p, y);
  }

  private record Kept(LayerNormKernels.Primal p, Tensor y) {}
}
