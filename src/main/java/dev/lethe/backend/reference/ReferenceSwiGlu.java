package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.Require;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Tensor;

/** h = silu(a)∘b, element by element. */
final class ReferenceSwiGlu implements SwiGluKernels {
  @Override
  public void forward(Tensor a, Tensor b, Tensor h) {
    requirePrimal("swiGlu.forward", a, b);
    Require.tensor("swiGlu.forward: h", h, F64, a.dim(0), a.dim(1));
    double[] av = Matrix.of(a).values();
    double[] bv = Matrix.of(b).values();
    Matrix out = Matrix.zeros(a.dim(0), a.dim(1));
    for (int i = 0; i < av.length; i++) {
      out.values()[i] = silu(av[i]) * bv[i];
    }
    out.store(h);
  }

  @Override
  public void tangent(Tensor a, Tensor b, Tensor da, Tensor db, Tensor dh) {
    requirePrimal("swiGlu.tangent", a, b);
    Require.rank("swiGlu.tangent: dh", dh, 3);
    requireEach("swiGlu.tangent: dh", dh, dh.dim(0), a);
    requireEach("swiGlu.tangent: da", da, dh.dim(0), a);
    requireEach("swiGlu.tangent: db", db, dh.dim(0), a);
    double[] av = Matrix.of(a).values();
    double[] bv = Matrix.of(b).values();
    for (int j = 0; j < dh.dim(0); j++) {
      double[] dav = Matrix.direction(da, j, a.dim(0), a.dim(1)).values();
      double[] dbv = Matrix.direction(db, j, a.dim(0), a.dim(1)).values();
      Matrix out = Matrix.zeros(a.dim(0), a.dim(1));
      for (int i = 0; i < av.length; i++) {
        out.values()[i] = silu1(av[i]) * dav[i] * bv[i] + silu(av[i]) * dbv[i];
      }
      out.store(dh.row(j));
    }
  }

  @Override
  public void backward(Tensor a, Tensor b, Tensor gh, Tensor ga, Tensor gb) {
    requirePrimal("swiGlu.backward", a, b);
    Require.rank("swiGlu.backward: gh", gh, 3);
    requireEach("swiGlu.backward: gh", gh, gh.dim(0), a);
    Require.tensor("swiGlu.backward: ga", ga, F64, gh.shape().toArray());
    Require.tensor("swiGlu.backward: gb", gb, F64, gh.shape().toArray());
    double[] av = Matrix.of(a).values();
    double[] bv = Matrix.of(b).values();
    for (int j = 0; j < gh.dim(0); j++) {
      double[] ghv = Matrix.of(gh.row(j)).values();
      Matrix outA = Matrix.zeros(a.dim(0), a.dim(1));
      Matrix outB = Matrix.zeros(a.dim(0), a.dim(1));
      for (int i = 0; i < av.length; i++) {
        outA.values()[i] = ghv[i] * bv[i] * silu1(av[i]);
        outB.values()[i] = ghv[i] * silu(av[i]);
      }
      outA.store(ga.row(j));
      outB.store(gb.row(j));
    }
  }

  @Override
  public void backwardTangent(
      Tensor a, Tensor b, Tensor gh, Tensor da, Tensor db, Tensor dgh, Tensor dga, Tensor dgb) {
    requirePrimal("swiGlu.backwardTangent", a, b);
    Require.tensor("swiGlu.backwardTangent: gh", gh, F64, a.dim(0), a.dim(1));
    Require.rank("swiGlu.backwardTangent: dga", dga, 3);
    requireEach("swiGlu.backwardTangent: dga", dga, dga.dim(0), a);
    Require.tensor("swiGlu.backwardTangent: dgb", dgb, F64, dga.shape().toArray());
    requireEach("swiGlu.backwardTangent: da", da, dga.dim(0), a);
    requireEach("swiGlu.backwardTangent: db", db, dga.dim(0), a);
    requireEach("swiGlu.backwardTangent: dgh", dgh, dga.dim(0), a);
    double[] av = Matrix.of(a).values();
    double[] bv = Matrix.of(b).values();
    double[] ghv = Matrix.of(gh).values();
    for (int j = 0; j < dga.dim(0); j++) {
      double[] dav = Matrix.direction(da, j, a.dim(0), a.dim(1)).values();
      double[] dbv = Matrix.direction(db, j, a.dim(0), a.dim(1)).values();
      double[] dghv = Matrix.direction(dgh, j, a.dim(0), a.dim(1)).values();
      Matrix outA = Matrix.zeros(a.dim(0), a.dim(1));
      Matrix outB = Matrix.zeros(a.dim(0), a.dim(1));
      for (int i = 0; i < av.length; i++) {
        double f = silu(av[i]);
        double f1 = silu1(av[i]);
        double f2 = silu2(av[i]);
        outA.values()[i] =
            dghv[i] * bv[i] * f1 + ghv[i] * dbv[i] * f1 + ghv[i] * bv[i] * f2 * dav[i];
        outB.values()[i] = dghv[i] * f + ghv[i] * f1 * dav[i];
      }
      outA.store(dga.row(j));
      outB.store(dgb.row(j));
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

  private static void requirePrimal(String operation, Tensor a, Tensor b) {
    Require.rank(operation + ": a", a, 2);
    Require.tensor(operation + ": a", a, F64, a.dim(0), a.dim(1));
    Require.tensor(operation + ": b", b, F64, a.dim(0), a.dim(1));
  }

  private static void requireEach(String what, Tensor tensor, long k, Tensor a) {
    Require.tensorOrNull(what, tensor, F64, k, a.dim(0), a.dim(1));
  }
}
