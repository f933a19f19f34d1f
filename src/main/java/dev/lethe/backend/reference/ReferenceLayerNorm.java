package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.tensor.Tensor;

/** Residual add and layer norm, row by row, as the formulas read. */
final class ReferenceLayerNorm implements LayerNormKernels {
  @Override
  public void forward(Forward call) {
    DoubleMatrix w = DoubleMatrix.of(call.p().w());
    DoubleMatrix b = call.b() == null ? DoubleMatrix.zeros(1, w.cols()) : DoubleMatrix.of(call.b());
    DoubleMatrix x = DoubleMatrix.of(call.x());
    DoubleMatrix s = call.f() == null ? x : x.plus(DoubleMatrix.of(call.f()));
    DoubleMatrix c = centred(s);
    DoubleMatrix y = DoubleMatrix.zeros(s.rows(), s.cols());
    DoubleMatrix mean = DoubleMatrix.zeros(1, s.rows());
    DoubleMatrix r = DoubleMatrix.zeros(1, s.rows());
    for (int row = 0; row < s.rows(); row++) {
      mean.values()[row] = mean(s, row);
      r.values()[row] = 1 / Math.sqrt(meanProduct(c, c, row) + call.epsilon());
      for (int i = 0; i < s.cols(); i++) {
        set(y, row, i, w.at(0, i) * (r.at(0, row) * c.at(row, i)) + b.at(0, i));
      }
    }
    if (call.f() != null) {
      s.store(call.p().s());
    }
    y.store(call.y());
    mean.store(call.p().mean());
    r.store(call.p().r());
  }

  @Override
  public void tangent(Tangent call) {
    Rows p = Rows.of(call.p());
    for (int j = 0; j < call.dy().dim(0); j++) {
      DoubleMatrix ds = p.direction(call.dx(), j).plus(p.direction(call.df(), j));
      DoubleMatrix dc = centred(ds);
      DoubleMatrix dy = p.direction(null, j);
      for (int row = 0; row < dy.rows(); row++) {
        double dr = p.tangentOfR(dc, row);
        for (int i = 0; i < dy.cols(); i++) {
          set(dy, row, i, p.w.at(0, i) * (p.r(row) * dc.at(row, i) + dr * p.c.at(row, i)));
        }
      }
      if (call.ds() != null) {
        ds.store(call.ds().row(j));
      }
      dy.store(call.dy().row(j));
    }
  }

  @Override
  public void backward(Backward call) {
    Rows p = Rows.of(call.p());
    for (int j = 0; j < call.gx().dim(0); j++) {
      DoubleMatrix g = p.weighted(call.gy().row(j));
      DoubleMatrix gx = p.direction(call.gs(), j);
      for (int row = 0; row < gx.rows(); row++) {
        double r = p.r(row);
        double q = meanProduct(p.c, g, row);
        double ofG = mean(g, row);
        for (int i = 0; i < gx.cols(); i++) {
          double value = r * (g.at(row, i) - ofG) - r * r * r * q * p.c.at(row, i);
          set(gx, row, i, gx.at(row, i) + value);
        }
      }
      gx.store(call.gx().row(j));
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Rows p = Rows.of(call.p());
    DoubleMatrix g = p.weighted(call.gy());
    for (int j = 0; j < call.dgx().dim(0); j++) {
      DoubleMatrix dc = centred(p.direction(call.ds(), j));
      DoubleMatrix dg = p.weighted(call.dgy().row(j));
      DoubleMatrix dgx = p.direction(call.dgs(), j);
      for (int row = 0; row < dgx.rows(); row++) {
        double r = p.r(row);
        double dr = p.tangentOfR(dc, row);
        double q = meanProduct(p.c, g, row);
        double dq = meanProduct(dc, g, row) + meanProduct(p.c, dg, row);
        double ofG = mean(g, row);
        double ofDg = mean(dg, row);
        for (int i = 0; i < dgx.cols(); i++) {
          double value = dr * (g.at(row, i) - ofG) + r * (dg.at(row, i) - ofDg);
          value -= (3 * r * r * dr * q + r * r * r * dq) * p.c.at(row, i);
          value -= r * r * r * q * dc.at(row, i);
          set(dgx, row, i, dgx.at(row, i) + value);
        }
      }
      dgx.store(call.dgx().row(j));
    }
  }

  private static double mean(DoubleMatrix a, int row) {
    double sum = 0;
    for (int i = 0; i < a.cols(); i++) {
      sum += a.at(row, i);
    }
    return sum / a.cols();
  }

  private static double meanProduct(DoubleMatrix a, DoubleMatrix b, int row) {
    int at = row * a.cols();
    return Slices.dot(a.values(), at, b.values(), at, a.cols()) / a.cols();
  }

  private static DoubleMatrix centred(DoubleMatrix a) {
    DoubleMatrix c = DoubleMatrix.zeros(a.rows(), a.cols());
    for (int row = 0; row < a.rows(); row++) {
      double mean = mean(a, row);
      for (int i = 0; i < a.cols(); i++) {
        set(c, row, i, a.at(row, i) - mean);
      }
    }
    return c;
  }

  private static void set(DoubleMatrix m, int row, int col, double value) {
    m.values()[row * m.cols() + col] = value;
  }

  /** What the forward left. */
  private record Rows(DoubleMatrix w, DoubleMatrix c, DoubleMatrix reciprocals) {
    static Rows of(Primal p) {
      return new Rows(DoubleMatrix.of(p.w()), centred(DoubleMatrix.of(p.s())), DoubleMatrix.of(p.r()));
    }

    double r(int row) {
      return reciprocals.at(0, row);
    }

    /** ṙ = −r³ mean(c∘ċ). */
    double tangentOfR(DoubleMatrix dc, int row) {
      return -r(row) * r(row) * r(row) * meanProduct(c, dc, row);
    }

    /** One of k, or zero. */
    DoubleMatrix direction(Tensor tensor, int j) {
      return DoubleMatrix.direction(tensor, j, c.rows(), c.cols());
    }

    /** w∘y. */
    DoubleMatrix weighted(Tensor y) {
      DoubleMatrix product = DoubleMatrix.of(y);
      for (int row = 0; row < product.rows(); row++) {
        for (int i = 0; i < product.cols(); i++) {
          set(product, row, i, w.at(0, i) * product.at(row, i));
        }
      }
      return product;
    }
  }
}
