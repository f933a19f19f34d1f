package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.Tensor;

/** (a, b) ↦ h, or a ↦ h. */
record GatedUnitRules(Nonlinearity nonlinearity, boolean gated, int n, int f)
    implements BlockRules {
  @Override
  public int[] parts() {
    return gated ? new int[] {n * f, n * f} : new int[] {n * f};
  }

  @Override
  public double[] forward(double[] x) {
    Tensor h = Flat.output(n, f);
    BACKEND.run(new GatedUnitKernels.Forward(primal(x), h));
    return Flat.join(h);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Tensor dh = Flat.output(2, n, f);
    BACKEND.run(new GatedUnitKernels.Tangent(primal(x), da(dx), db(dx), dh));
    return Flat.second(dh);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Tensor ga = Flat.output(2, n, f);
    Tensor gb = gated ? Flat.output(2, n, f) : null;
    BACKEND.run(new GatedUnitKernels.Backward(primal(x), Flat.pair(gy, 0, n, f), ga, gb));
    return gated ? Flat.second(ga, gb) : Flat.second(ga);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    Tensor gh = Flat.piece(gy, 0, n, f);
    Tensor dgh = Flat.pairOrNull(dgy, 0, n, f);
    Tensor dga = Flat.output(2, n, f);
    Tensor dgb = gated ? Flat.output(2, n, f) : null;
    BACKEND.run(
        new GatedUnitKernels.BackwardTangent(primal(x), gh, da(dx), db(dx), dgh, dga, dgb));
    return gated ? Flat.second(dga, dgb) : Flat.second(dga);
  }

  private GatedUnitKernels.Primal primal(double[] x) {
    Tensor b = gated ? Flat.piece(x, n * f, n, f) : null;
    return new GatedUnitKernels.Primal(nonlinearity, Flat.piece(x, 0, n, f), b);
  }

  private Tensor da(double[] dx) {
    return Flat.pairOrNull(dx, 0, n, f);
  }

  private Tensor db(double[] dx) {
    return gated ? Flat.pairOrNull(dx, n * f, n, f) : null;
  }
}
