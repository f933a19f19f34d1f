package dev.lethe.replay;

import dev.lethe.LetheException;
import dev.lethe.Text;
import java.util.function.UnaryOperator;

/**
 * (C + D) x = b with a positive diagonal D, by conjugate gradients preconditioned by D. C is positive semi-definite and
 * known by its products.
 */
final class DiagonalSystem {
  private static final int MOST = 500;
  private static final double TOLERANCE = 1e-5;

  private final double[] diagonal;
  private final UnaryOperator<double[]> curvature;

  DiagonalSystem(double[] diagonal, UnaryOperator<double[]> curvature) {
    this.diagonal = diagonal;
    this.curvature = curvature;
  }

  double[] solve(double[] b) {
    double[] x = new double[b.length];
    double[] r = b.clone();
    double[] z = preconditioned(r);
    double[] p = z.clone();
    double rz = dot(r, z);
    double stop = TOLERANCE * Math.sqrt(dot(b, b));
    for (int k = 0; k < MOST && Math.sqrt(dot(r, r)) > stop; k++) {
      double[] q = curvature.apply(p);
      for (int i = 0; i < q.length; i++) {
        q[i] += diagonal[i] * p[i];
      }
      double alpha = rz / dot(p, q);
      add(alpha, p, x);
      add(-alpha, q, r);
      z = preconditioned(r);
      double next = dot(r, z);
      for (int i = 0; i < p.length; i++) {
        p[i] = z[i] + next / rz * p[i];
      }
      rz = next;
    }
    if (!(Math.sqrt(dot(r, r)) <= 100 * stop)) {
      throw new LetheException(
          "averaged step", "its system was not solved", "a residual of " + TOLERANCE,
          Text.format("%.1e", Math.sqrt(dot(r, r) / dot(b, b))), "Use --method influence.");
    }
    return x;
  }

  private double[] preconditioned(double[] r) {
    double[] z = new double[r.length];
    for (int i = 0; i < z.length; i++) {
      z[i] = r[i] / diagonal[i];
    }
    return z;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static void add(double scale, double[] from, double[] to) {
    for (int i = 0; i < to.length; i++) {
      to[i] += scale * from[i];
    }
  }
}
