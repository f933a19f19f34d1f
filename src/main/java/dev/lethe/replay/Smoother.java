package dev.lethe.replay;

import java.util.Arrays;

/**
 * Carries what was measured at a few times to all others, shrunk towards nothing: kernel ridge regression over time,
 * w(t) = k(t,·)(K + νI)⁻¹ with k(s,t) = exp(−((s−t)/ℓ)²/2) and times from 0 to 1. Rasmussen and Williams, Gaussian
 * Processes for Machine Learning, §2.2.
 */
final class Smoother {
  private static final double LENGTH = 0.25;

  /** ν: from eight measurements about half of a steady error comes through. */
  private static final double NOISE = 4;

  /** Steps up to which the noise stays. */
  private static final double SHORT_RUN = 75;

  /** The careful one's noise over the bold one's in an epoch of few batches. */
  private static final double BOLDNESS = 8;

  /** The same in an epoch of many. */
  private static final double LEAST_BOLDNESS = 2.8;

  private static final double FEW_BATCHES = 15;

  private final double[] times;
  private final double[][] inverse;

  /**
   * One that shrinks much. What a measured batch has of its own is added to all steps alike, while it averages out in
   * a training; so the longer the run, the less a measurement is trusted.
   *
   * @param steps of the run
   */
  static Smoother careful(double[] times, int steps) {
    return new Smoother(times, NOISE * growth(steps));
  }

  /**
   * One that shrinks less: by an eighth of that where an epoch has few batches, and by more where it has many, of which a
   * measured one has more of its own. Found by a pilot study, docs/studies/closure-estimate.md.
   *
   * @param epoch batches in one, about
   */
  static Smoother bold(double[] times, int steps, double epoch) {
    double boldness = BOLDNESS / Math.sqrt(Math.max(1, epoch / FEW_BATCHES));
    return new Smoother(times, NOISE * growth(steps) / Math.max(LEAST_BOLDNESS, boldness));
  }

  private static double growth(int steps) {
    return Math.max(1, steps / SHORT_RUN);
  }

  /**
   * @param noise ν, the variance of a measurement over that of what is measured
   */
  private Smoother(double[] times, double noise) {
    this.times = times.clone();
    double[][] matrix = new double[times.length][times.length];
    for (int i = 0; i < times.length; i++) {
      for (int j = 0; j < times.length; j++) {
        matrix[i][j] = kernel(times[i], times[j]) + (i == j ? noise : 0);
      }
    }
    this.inverse = inverse(matrix);
  }

  /** The weights of the measurements at a time. */
  double[] weights(double time) {
    double[] weights = new double[times.length];
    for (int i = 0; i < times.length; i++) {
      double k = kernel(time, times[i]);
      for (int j = 0; j < times.length; j++) {
        weights[j] += k * inverse[i][j];
      }
    }
    return weights;
  }

  private static double kernel(double s, double t) {
    double x = (s - t) / LENGTH;
    return Math.exp(-x * x / 2);
  }

  /** By Gauss-Jordan elimination; the matrix is positive definite and its diagonal dominates. */
  private static double[][] inverse(double[][] matrix) {
    int n = matrix.length;
    double[][] left = Arrays.stream(matrix).map(double[]::clone).toArray(double[][]::new);
    double[][] right = new double[n][n];
    for (int i = 0; i < n; i++) {
      right[i][i] = 1;
    }
    for (int p = 0; p < n; p++) {
      double pivot = left[p][p];
      for (int c = 0; c < n; c++) {
        left[p][c] /= pivot;
        right[p][c] /= pivot;
      }
      for (int r = 0; r < n; r++) {
        double factor = left[r][p];
        for (int c = 0; r != p && c < n; c++) {
          left[r][c] -= factor * left[p][c];
          right[r][c] -= factor * right[p][c];
        }
      }
    }
    return right;
  }
}
