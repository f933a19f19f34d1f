package dev.lethe.backend.reference;

/** Arithmetic on pieces of arrays; sums run in index order. */
final class Slices {
  private Slices() {}

  /** Σ x·y. */
  static double dot(double[] x, int xAt, double[] y, int yAt, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += x[xAt + i] * y[yAt + i];
    }
    return sum;
  }

  /** y = y + a·x. */
  static void addScaled(double a, double[] x, int xAt, double[] y, int yAt, int count) {
    for (int i = 0; i < count; i++) {
      y[yAt + i] += a * x[xAt + i];
    }
  }
}
