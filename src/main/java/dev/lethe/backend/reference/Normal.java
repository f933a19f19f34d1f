package dev.lethe.backend.reference;

/** The normal distribution. */
final class Normal {
  /** Beyond it the continued fraction of the tail has all digits. */
  private static final double TAIL = 4;

  private static final int FRACTIONS = 200;

  private Normal() {}

  static double density(double x) {
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  }

  /** Φ(x), the probability of less than x: Marsaglia, Journal of Statistical Software 11 (2004). */
  static double below(double x) {
    if (x < -TAIL) {
      return density(x) / tailFraction(-x);
    }
    if (x > TAIL) {
      return 1 - below(-x);
    }
    double sum = x;
    double term = x;
    for (int i = 3; Math.abs(term) > 1e-18; i += 2) {
      term *= x * x / i;
      sum += term;
    }
    return 0.5 + sum * density(x);
  }

  /** x + 1/(x + 2/(x + 3/(x + …))). */
  private static double tailFraction(double x) {
    double fraction = x;
    for (int i = FRACTIONS; i > 0; i--) {
      fraction = x + i / fraction;
    }
    return fraction;
  }
}
