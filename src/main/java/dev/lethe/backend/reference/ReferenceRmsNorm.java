package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.RmsNormKernels;

/** Residual add and root-mean-square norm, row by row. */
final class ReferenceRmsNorm implements RmsNormKernels {
  @Override
  public void forward(Forward call) {
    long n = call.x().dim(0);
    long d = call.x().dim(1);
    DoubleMatrix weight = DoubleMatrix.of(call.w());
    DoubleMatrix sum =
        call.f() == null ? DoubleMatrix.of(call.x()) : DoubleMatrix.of(call.x()).plus(DoubleMatrix.of(call.f()));
    DoubleMatrix normed = DoubleMatrix.zeros(n, d);
    DoubleMatrix reciprocal = DoubleMatrix.zeros(1, n);
    for (int row = 0; row < n; row++) {
      double rr = 1 / Math.sqrt(meanProduct(sum, sum, row) + call.epsilon());
      reciprocal.values()[row] = rr;
      for (int i = 0; i < d; i++) {
        set(normed, row, i, weight.at(0, i) * (sum.at(row, i) * rr));
      }
    }
    if (call.s() != null) {
      sum.store(call.s());
    }
    normed.store(call.y());
    reciprocal.store(call.r());
  }

  @Override
  public void tangent(Tangent call) {
    Primal p = call.p();
    long n = p.s().dim(0);
    long d = p.s().dim(1);
    long k = call.dy().dim(0);
    DoubleMatrix weight = DoubleMatrix.of(p.w());
    DoubleMatrix sum = DoubleMatrix.of(p.s());
    DoubleMatrix rs = DoubleMatrix.of(p.r());
    for (int j = 0; j < k; j++) {
      DoubleMatrix dsum = DoubleMatrix.direction(call.dx(), j, n, d).plus(DoubleMatrix.direction(call.df(), j, n, d));
      DoubleMatrix dnormed = DoubleMatrix.zeros(n, d);
      for (int row = 0; row < n; row++) {
        double rr = rs.at(0, row);
        double drr = -rr * rr * rr * meanProduct(sum, dsum, row);
        for (int i = 0; i < d; i++) {
          double value = dsum.at(row, i) * rr + sum.at(row, i) * drr;
          set(dnormed, row, i, weight.at(0, i) * value);
        }
      }
      if (call.ds() != null) {
        dsum.store(call.ds().row(j));
      }
      dnormed.store(call.dy().row(j));
    }
  }

  @Override
  public void backward(Backward call) {
    Primal p = call.p();
    long n = p.s().dim(0);
    long d = p.s().dim(1);
    long k = call.gx().dim(0);
    DoubleMatrix weight = DoubleMatrix.of(p.w());
    DoubleMatrix sum = DoubleMatrix.of(p.s());
    DoubleMatrix rs = DoubleMatrix.of(p.r());
    for (int j = 0; j < k; j++) {
      DoubleMatrix g = scaledColumns(DoubleMatrix.of(call.gy().row(j)), weight);
      DoubleMatrix out = DoubleMatrix.direction(call.gs(), j, n, d);
      for (int row = 0; row < n; row++) {
        double rr = rs.at(0, row);
        double c = meanProduct(sum, g, row);
        for (int i = 0; i < d; i++) {
          double value = rr * g.at(row, i) - sum.at(row, i) * rr * rr * rr * c;
          set(out, row, i, out.at(row, i) + value);
        }
      }
      out.store(call.gx().row(j));
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Primal p = call.p();
    long n = p.s().dim(0);
    long d = p.s().dim(1);
    long k = call.dgx().dim(0);
    DoubleMatrix weight = DoubleMatrix.of(p.w());
    DoubleMatrix sum = DoubleMatrix.of(p.s());
    DoubleMatrix rs = DoubleMatrix.of(p.r());
    DoubleMatrix g = scaledColumns(DoubleMatrix.of(call.gy()), weight);
    for (int j = 0; j < k; j++) {
      DoubleMatrix dsum = DoubleMatrix.of(call.ds().row(j));
      DoubleMatrix dg = scaledColumns(DoubleMatrix.of(call.dgy().row(j)), weight);
      DoubleMatrix out = DoubleMatrix.direction(call.dgs(), j, n, d);
      for (int row = 0; row < n; row++) {
        double rr = rs.at(0, row);
        double r3 = rr * rr * rr;
        double drr = -r3 * meanProduct(sum, dsum, row);
        double dr3 = 3 * rr * rr * drr;
        double c = meanProduct(sum, g, row);
        double dc = meanProduct(dsum, g, row) + meanProduct(sum, dg, row);
        for (int i = 0; i < d; i++) {
          double value = drr * g.at(row, i) + rr * dg.at(row, i);
          value -= dsum.at(row, i) * r3 * c + sum.at(row, i) * (dr3 * c + r3 * dc);
          set(out, row, i, out.at(row, i) + value);
        }
      }
      out.store(call.dgx().row(j));
    }
  }

  private static double meanProduct(DoubleMatrix a, DoubleMatrix b, int row) {
    int at = row * a.cols();
    return Slices.dot(a.values(), at, b.values(), at, a.cols()) / a.cols();
  }

  private static DoubleMatrix scaledColumns(DoubleMatrix x, DoubleMatrix weight) {
    DoubleMatrix product = DoubleMatrix.zeros(x.rows(), x.cols());
    for (int row = 0; row < x.rows(); row++) {
      for (int i = 0; i < x.cols(); i++) {
        set(product, row, i, weight.at(0, i) * x.at(row, i));
      }
    }
    return product;
  }

  private static void set(DoubleMatrix m, int row, int col, double value) {
    m.values()[row * m.cols() + col] = value;
  }
}
