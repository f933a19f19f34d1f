package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.Require;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.tensor.Tensor;

/** Residual add and root-mean-square norm, row by row. */
final class ReferenceRmsNorm implements RmsNormKernels {
  @Override
  public void forward(Tensor w, double epsilon, Tensor x, Tensor f, Tensor s, Tensor y, Tensor r) {
    Require.rank("rmsNorm.forward: x", x, 2);
    long n = x.dim(0);
    long d = x.dim(1);
    Require.tensor("rmsNorm.forward: w", w, F64, d);
    Require.tensor("rmsNorm.forward: x", x, F64, n, d);
    Require.tensorOrNull("rmsNorm.forward: f", f, F64, n, d);
    Require.that((f == null) == (s == null), "rmsNorm.forward: s", "null exactly where f is", s);
    Require.tensorOrNull("rmsNorm.forward: s", s, F64, n, d);
    Require.tensor("rmsNorm.forward: y", y, F64, n, d);
    Require.tensor("rmsNorm.forward: r", r, F64, n);
    Matrix weight = Matrix.of(w);
    Matrix sum = f == null ? Matrix.of(x) : Matrix.of(x).plus(Matrix.of(f));
    Matrix normed = Matrix.zeros(n, d);
    Matrix reciprocal = Matrix.zeros(1, n);
    for (int row = 0; row < n; row++) {
      double rr = 1 / Math.sqrt(meanProduct(sum, sum, row) + epsilon);
      reciprocal.values()[row] = rr;
      for (int i = 0; i < d; i++) {
        set(normed, row, i, weight.at(0, i) * (sum.at(row, i) * rr));
      }
    }
    if (s != null) {
      sum.store(s);
    }
    normed.store(y);
    reciprocal.store(r);
  }

  @Override
  public void tangent(Tensor w, Tensor s, Tensor r, Tensor dx, Tensor df, Tensor ds, Tensor dy) {
    long n = requirePrimal("rmsNorm.tangent", w, s, r);
    long d = s.dim(1);
    Require.rank("rmsNorm.tangent: dy", dy, 3);
    long k = dy.dim(0);
    Require.tensor("rmsNorm.tangent: dy", dy, F64, k, n, d);
    Require.tensorOrNull("rmsNorm.tangent: dx", dx, F64, k, n, d);
    Require.tensorOrNull("rmsNorm.tangent: df", df, F64, k, n, d);
    Require.tensorOrNull("rmsNorm.tangent: ds", ds, F64, k, n, d);
    Require.that(
        ds != null || (dx == null) != (df == null),
        "rmsNorm.tangent: ds",
        "the sum's tangent to be wanted unless exactly one of dx and df is there",
        ds);
    Matrix weight = Matrix.of(w);
    Matrix sum = Matrix.of(s);
    Matrix rs = Matrix.of(r);
    for (int j = 0; j < k; j++) {
      Matrix dsum = Matrix.direction(dx, j, n, d).plus(Matrix.direction(df, j, n, d));
      Matrix dnormed = Matrix.zeros(n, d);
      for (int row = 0; row < n; row++) {
        double rr = rs.at(0, row);
        double drr = -rr * rr * rr * meanProduct(sum, dsum, row);
        for (int i = 0; i < d; i++) {
          double value = dsum.at(row, i) * rr + sum.at(row, i) * drr;
          set(dnormed, row, i, weight.at(0, i) * value);
        }
      }
      if (ds != null) {
        dsum.store(ds.row(j));
      }
      dnormed.store(dy.row(j));
    }
  }

  @Override
  public void backward(Tensor w, Tensor s, Tensor r, Tensor gs, Tensor gy, Tensor gx) {
    long n = requirePrimal("rmsNorm.backward", w, s, r);
    long d = s.dim(1);
    Require.rank("rmsNorm.backward: gx", gx, 3);
    long k = gx.dim(0);
    Require.tensor("rmsNorm.backward: gx", gx, F64, k, n, d);
    Require.tensor("rmsNorm.backward: gy", gy, F64, k, n, d);
    Require.tensorOrNull("rmsNorm.backward: gs", gs, F64, k, n, d);
    Matrix weight = Matrix.of(w);
    Matrix sum = Matrix.of(s);
    Matrix rs = Matrix.of(r);
    for (int j = 0; j < k; j++) {
      Matrix g = scaledColumns(Matrix.of(gy.row(j)), weight);
      Matrix out = Matrix.direction(gs, j, n, d);
      for (int row = 0; row < n; row++) {
        double rr = rs.at(0, row);
        double c = meanProduct(sum, g, row);
        for (int i = 0; i < d; i++) {
          double value = rr * g.at(row, i) - sum.at(row, i) * rr * rr * rr * c;
          set(out, row, i, out.at(row, i) + value);
        }
      }
      out.store(gx.row(j));
    }
  }

  @Override
  public void backwardTangent(
      Tensor w, Tensor s, Tensor r, Tensor gy, Tensor ds, Tensor dgs, Tensor dgy, Tensor dgx) {
    long n = requirePrimal("rmsNorm.backwardTangent", w, s, r);
    long d = s.dim(1);
    Require.rank("rmsNorm.backwardTangent: dgx", dgx, 3);
    long k = dgx.dim(0);
    Require.tensor("rmsNorm.backwardTangent: dgx", dgx, F64, k, n, d);
    Require.tensor("rmsNorm.backwardTangent: gy", gy, F64, n, d);
    Require.tensor("rmsNorm.backwardTangent: ds", ds, F64, k, n, d);
    Require.tensorOrNull("rmsNorm.backwardTangent: dgs", dgs, F64, k, n, d);
    Require.tensor("rmsNorm.backwardTangent: dgy", dgy, F64, k, n, d);
    Matrix weight = Matrix.of(w);
    Matrix sum = Matrix.of(s);
    Matrix rs = Matrix.of(r);
    Matrix g = scaledColumns(Matrix.of(gy), weight);
    for (int j = 0; j < k; j++) {
      Matrix dsum = Matrix.of(ds.row(j));
      Matrix dg = scaledColumns(Matrix.of(dgy.row(j)), weight);
      Matrix out = Matrix.direction(dgs, j, n, d);
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
      out.store(dgx.row(j));
    }
  }

  private static long requirePrimal(String operation, Tensor w, Tensor s, Tensor r) {
    Require.rank(operation + ": s", s, 2);
    Require.tensor(operation + ": s", s, F64, s.dim(0), s.dim(1));
    Require.tensor(operation + ": w", w, F64, s.dim(1));
    Require.tensor(operation + ": r", r, F64, s.dim(0));
    return s.dim(0);
  }

  private static double meanProduct(Matrix a, Matrix b, int row) {
    int at = row * a.cols();
    return Slices.dot(a.values(), at, b.values(), at, a.cols()) / a.cols();
  }

  private static Matrix scaledColumns(Matrix x, Matrix weight) {
    Matrix product = Matrix.zeros(x.rows(), x.cols());
    for (int row = 0; row < x.rows(); row++) {
      for (int i = 0; i < x.cols(); i++) {
        set(product, row, i, weight.at(0, i) * x.at(row, i));
      }
    }
    return product;
  }

  private static void set(Matrix m, int row, int col, double value) {
    m.values()[row * m.cols() + col] = value;
  }
}
