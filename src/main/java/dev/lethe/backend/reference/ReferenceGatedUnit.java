package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/** h = f(a)∘b, element by element. */
final class ReferenceGatedUnit implements GatedUnitKernels {
  @Override
  public void forward(Forward call) {
    double[] av = DoubleMatrix.of(call.p().a()).values();
    double[] bv = gate(call.p());
    DoubleMatrix out = zeros(call.p());
    for (int i = 0; i < av.length; i++) {
      out.values()[i] = at(call.p(), av[i]).f * bv[i];
    }
    out.store(call.h());
  }

  @Override
  public void tangent(Tangent call) {
    double[] av = DoubleMatrix.of(call.p().a()).values();
    double[] bv = gate(call.p());
    for (int j = 0; j < call.dh().dim(0); j++) {
      double[] dav = direction(call.p(), call.da(), j);
      double[] dbv = direction(call.p(), call.db(), j);
      DoubleMatrix out = zeros(call.p());
      for (int i = 0; i < av.length; i++) {
        Point at = at(call.p(), av[i]);
        out.values()[i] = at.f1 * dav[i] * bv[i] + at.f * dbv[i];
      }
      out.store(call.dh().row(j));
    }
  }

  @Override
  public void backward(Backward call) {
    double[] av = DoubleMatrix.of(call.p().a()).values();
    double[] bv = gate(call.p());
    for (int j = 0; j < call.gh().dim(0); j++) {
      double[] ghv = DoubleMatrix.of(call.gh().row(j)).values();
      DoubleMatrix outA = zeros(call.p());
      DoubleMatrix outB = zeros(call.p());
      for (int i = 0; i < av.length; i++) {
        Point at = at(call.p(), av[i]);
        outA.values()[i] = ghv[i] * bv[i] * at.f1;
        outB.values()[i] = ghv[i] * at.f;
      }
      outA.store(call.ga().row(j));
      if (call.gb() != null) {
        outB.store(call.gb().row(j));
      }
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    double[] av = DoubleMatrix.of(call.p().a()).values();
    double[] bv = gate(call.p());
    double[] ghv = DoubleMatrix.of(call.gh()).values();
    for (int j = 0; j < call.dga().dim(0); j++) {
      double[] dav = direction(call.p(), call.da(), j);
      double[] dbv = direction(call.p(), call.db(), j);
      double[] dghv = direction(call.p(), call.dgh(), j);
      DoubleMatrix outA = zeros(call.p());
      DoubleMatrix outB = zeros(call.p());
      for (int i = 0; i < av.length; i++) {
        Point at = at(call.p(), av[i]);
        outA.values()[i] =
            dghv[i] * bv[i] * at.f1 + ghv[i] * dbv[i] * at.f1 + ghv[i] * bv[i] * at.f2 * dav[i];
        outB.values()[i] = dghv[i] * at.f + ghv[i] * at.f1 * dav[i];
      }
      outA.store(call.dga().row(j));
      if (call.dgb() != null) {
        outB.store(call.dgb().row(j));
      }
    }
  }

  /** b, or ones. */
  private static double[] gate(Primal p) {
    if (p.b() != null) {
      return DoubleMatrix.of(p.b()).values();
    }
    double[] ones = new double[Math.toIntExact(p.a().elements())];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static double[] direction(Primal p, Tensor tensor, int j) {
    return DoubleMatrix.direction(tensor, j, p.a().dim(0), p.a().dim(1)).values();
  }

  private static DoubleMatrix zeros(Primal p) {
    return DoubleMatrix.zeros(p.a().dim(0), p.a().dim(1));
  }

  private static Point at(Primal p, double a) {
    return switch (p.f()) {
      case SILU -> silu(a);
      case GELU -> gelu(a);
      case GELU_TANH -> geluTanh(a);
    };
  }

  private static Point silu(double a) {
    double s = sigmoid(a);
    return new Point(
        a * s, s * (1 + a * (1 - s)), s * (1 - s) * (2 + a * (1 - 2 * s)));
  }

  private static Point gelu(double a) {
    double density = Normal.density(a);
    double below = Normal.below(a);
    return new Point(a * below, below + a * density, (2 - a * a) * density);
  }

  private static Point geluTanh(double a) {
    double w = Nonlinearity.SLOPE * (a + Nonlinearity.CUBIC * a * a * a);
    double w1 = Nonlinearity.SLOPE * (1 + 3 * Nonlinearity.CUBIC * a * a);
    double w2 = Nonlinearity.SLOPE * 6 * Nonlinearity.CUBIC * a;
    double s = sigmoid(w);
    double s1 = s * (1 - s);
    double s2 = s1 * (1 - 2 * s);
    return new Point(a * s, s + a * s1 * w1, 2 * s1 * w1 + a * (s2 * w1 * w1 + s1 * w2));
  }

  private static double sigmoid(double a) {
    return 1 / (1 + Math.exp(-a));
  }

  /** f and its derivatives at one a. */
  private record Point(double f, double f1, double f2) {}
}
