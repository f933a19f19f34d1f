package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.SwiGluKernels;
import dev.lethe.tensor.Tensor;

/** (a, b) ↦ h. */
record SwiGluRules(int n, int f) implements BlockRules {
  @Override
  public int[] parts() {
    return new int[] {n * f, n * f};
  }

  @Override
  public double[] forward(double[] x) {
    Tensor h = Flat.output(n, f);
    BACKEND.run(new SwiGluKernels.Forward(a(x), b(x), h));
    return Flat.join(h);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Tensor dh = Flat.output(2, n, f);
    Tensor da = Flat.pairOrNull(dx, 0, n, f);
    BACKEND.run(new SwiGluKernels.Tangent(a(x), b(x), da, Flat.pairOrNull(dx, n * f, n, f), dh));
    return Flat.second(dh);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Tensor ga = Flat.output(2, n, f);
    Tensor gb = Flat.output(2, n, f);
    BACKEND.run(new SwiGluKernels.Backward(a(x), b(x), Flat.pair(gy, 0, n, f), ga, gb));
    return Flat.second(ga, gb);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    Tensor dga = Flat.output(2, n, f);
    Tensor dgb = Flat.output(2, n, f);
    BACKEND.run(
        new SwiGluKernels.BackwardTangent(
            a(x),
            b(x),
            Flat.piece(gy, 0, n, f),
            Flat.pairOrNull(dx, 0, n, f),
            Flat.pairOrNull(dx, n * f, n, f),
            Flat.pairOrNull(dgy, 0, n, f),
            dga,
            dgb));
    return Flat.second(dga, dgb);
  }

  private Tensor a(double[] x) {
    return Flat.piece(x, 0, n, f);
  }

  private Tensor b(double[] x) {
    return Flat.piece(x, n * f, n, f);
  }
}
