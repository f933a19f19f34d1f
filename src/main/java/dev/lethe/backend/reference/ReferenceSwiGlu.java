package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.SwiGluKernels;

/** h = silu(a)∘b, element by element. */
final class ReferenceSwiGlu implements SwiGluKernels {
  @Override
  public void forward(Forward call) {
    double[] av = DoubleMatrix.of(call.a()).values();
    double[] bv = DoubleMatrix.of(call.b()).values();
    DoubleMatrix out = DoubleMatrix.zeros(call.a().dim(0), call.a().dim(1));
    for (int i = 0; i < av.length; i++) {
      out.values()[i] = silu(av[i]) * bv[i];
    }
    out.store(call.h());
  }

  @Override
  public void tangent(Tangent call) {
    double[] av = DoubleMatrix.of(call.a()).values();
    double[] bv = DoubleMatrix.of(call.b()).values();
    for (int j = 0; j < call.dh().dim(0); j++) {
      double[] dav = DoubleMatrix.direction(call.da(), j, call.a().dim(0), call.a().dim(1)).values();
      double[] dbv = DoubleMatrix.direction(call.db(), j, call.a().dim(0), call.a().dim(1)).values();
      DoubleMatrix out = DoubleMatrix.zeros(call.a().dim(0), call.a().dim(1));
      for (int i = 0; i < av.length; i++) {
        out.values()[i] = silu1(av[i]) * dav[i] * bv[i] + silu(av[i]) * dbv[i];
      }
      out.store(call.dh().row(j));
    }
  }

  @Override
  public void backward(Backward call) {
    double[] av = DoubleMatrix.of(call.a()).values();
    double[] bv = DoubleMatrix.of(call.b()).values();
    for (int j = 0; j < call.gh().dim(0); j++) {
      double[] ghv = DoubleMatrix.of(call.gh().row(j)).values();
      DoubleMatrix outA = DoubleMatrix.zeros(call.a().dim(0), call.a().dim(1));
      DoubleMatrix outB = DoubleMatrix.zeros(call.a().dim(0), call.a().dim(1));
      for (int i = 0; i < av.length; i++) {
        outA.values()[i] = ghv[i] * bv[i] * silu1(av[i]);
        outB.values()[i] = ghv[i] * silu(av[i]);
      }
      outA.store(call.ga().row(j));
      outB.store(call.gb().row(j));
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    double[] av = DoubleMatrix.of(call.a()).values();
    double[] bv = DoubleMatrix.of(call.b()).values();
    double[] ghv = DoubleMatrix.of(call.gh()).values();
    for (int j = 0; j < call.dga().dim(0); j++) {
      double[] dav = DoubleMatrix.direction(call.da(), j, call.a().dim(0), call.a().dim(1)).values();
      double[] dbv = DoubleMatrix.direction(call.db(), j, call.a().dim(0), call.a().dim(1)).values();
      double[] dghv = DoubleMatrix.direction(call.dgh(), j, call.a().dim(0), call.a().dim(1)).values();
      DoubleMatrix outA = DoubleMatrix.zeros(call.a().dim(0), call.a().dim(1));
      DoubleMatrix outB = DoubleMatrix.zeros(call.a().dim(0), call.a().dim(1));
      for (int i = 0; i < av.length; i++) {
        double f = silu(av[i]);
        double f1 = silu1(av[i]);
        double f2 = silu2(av[i]);
        outA.values()[i] =
            dghv[i] * bv[i] * f1 + ghv[i] * dbv[i] * f1 + ghv[i] * bv[i] * f2 * dav[i];
        outB.values()[i] = dghv[i] * f + ghv[i] * f1 * dav[i];
      }
      outA.store(call.dga().row(j));
      outB.store(call.dgb().row(j));
    }
  }

  private static double sigmoid(double a) {
    return 1 / (1 + Math.exp(-a));
  }

  /** f(a) = aσ. */
  private static double silu(double a) {
    return a * sigmoid(a);
  }

  /** f′(a) = σ(1 + a(1−σ)). */
  private static double silu1(double a) {
    double s = sigmoid(a);
    return s * (1 + a * (1 - s));
  }

  /** f″(a) = σ(1−σ)(2 + a(1−2σ)). */
  private static double silu2(double a) {
    double s = sigmoid(a);
    return s * (1 - s) * (2 + a * (1 - 2 * s));
  }
}
