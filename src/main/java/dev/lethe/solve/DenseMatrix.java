package dev.lethe.solve;

import dev.lethe.LetheException;
import dev.lethe.Text;

/**
 * A small symmetric matrix in float64 on the heap, factorised once: by Cholesky, and where it is
 * not positive definite by Gaussian elimination with partial pivoting. Golub and Van Loan, Matrix
 * Computations, 4.2 and 3.4.
 */
final class DenseMatrix {
  private final int n;
  private final double[][] a;
  private int[] pivots;

  /** Takes over a full symmetric matrix and overwrites it; only rounding makes it asymmetric. */
  DenseMatrix(double[][] symmetric) {
    n = symmetric.length;
    a = symmetric;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < i; j++) {
        a[i][j] = 0.5 * (a[i][j] + a[j][i]);
        a[j][i] = a[i][j];
      }
    }
    if (!cholesky()) {
      mirrorUpper();
      eliminate();
    }
  }

  /** Whether Cholesky succeeded. */
  boolean positiveDefinite() {
    return pivots == null;
  }

  /** x with A x = b. */
  double[] solve(double[] b) {
    double[] x = b.clone();
    if (positiveDefinite()) {
      forward(x, false);
      for (int i = n - 1; i >= 0; i--) {
        x[i] /= a[i][i];
        for (int j = 0; j < i; j++) {
          x[j] -= a[i][j] * x[i];
        }
      }
      return x;
    }
    for (int i = 0; i < n; i++) {
      swap(x, i, pivots[i]);
    }
    forward(x, true);
    for (int i = n - 1; i >= 0; i--) {
      x[i] = (x[i] - dot(a[i], x, i + 1, n)) / a[i][i];
    }
    return x;
  }

  /** The lower triangle becomes L of A = LLᵀ, its diagonal apart the upper triangle stays A. */
  private boolean cholesky() {
    double[] diagonal = new double[n];
    for (int i = 0; i < n; i++) {
      diagonal[i] = a[i][i];
    }
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < i; j++) {
        a[i][j] = (a[i][j] - dot(a[i], a[j], 0, j)) / a[j][j];
      }
      double pivot = diagonal[i] - dot(a[i], a[i], 0, i);
      if (!(pivot > 1e-14 * Math.abs(diagonal[i]))) {
        for (int k = 0; k < n; k++) {
          a[k][k] = diagonal[k];
        }
        return false;
      }
      a[i][i] = Math.sqrt(pivot);
    }
    return true;
  }

  private void mirrorUpper() {
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < i; j++) {
        a[i][j] = a[j][i];
      }
    }
  }

  private void eliminate() {
    pivots = new int[n];
    double largest = 0;
    for (double[] row : a) {
      for (double value : row) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    for (int k = 0; k < n; k++) {
      int best = k;
      for (int i = k + 1; i < n; i++) {
        if (Math.abs(a[i][k]) > Math.abs(a[best][k])) {
          best = i;
        }
      }
      if (!(Math.abs(a[best][k]) > 1e-14 * largest)) {
        throw new LetheException(
            "solver direct", "the matrix is singular to working precision", "full rank " + n,
            Text.format("a pivot of %.3g at step %d", a[best][k], k + 1),
            "Use a damping above 0, or solver minres.");
      }
      pivots[k] = best;
      double[] row = a[best];
      a[best] = a[k];
      a[k] = row;
      for (int i = k + 1; i < n; i++) {
        double factor = a[i][k] / row[k];
        a[i][k] = factor;
        for (int j = k + 1; j < n; j++) {
          a[i][j] -= factor * row[j];
        }
      }
    }
  }

  private void forward(double[] x, boolean unitDiagonal) {
    for (int i = 0; i < n; i++) {
      double value = x[i] - dot(a[i], x, 0, i);
      x[i] = unitDiagonal ? value : value / a[i][i];
    }
  }

  private static double dot(double[] x, double[] y, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  private static void swap(double[] x, int i, int j) {
    double value = x[i];
    x[i] = x[j];
    x[j] = value;
  }
}
