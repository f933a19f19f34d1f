package dev.lethe.study;

import java.util.Collection;

/**
 * A mean over seeds with its 95 % interval by Student's t, for seeds that are draws from a normal distribution.
 *
 * @param n how many
 * @param low NaN where there are fewer than two
 * @param high likewise
 */
public record SeedMean(int n, double mean, double low, double high) {
  /** The 97.5 % points of Student's t with 1, 2, … degrees of freedom. */
  private static final double[] T = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042
  };

  /** Of numbers; there may be none. */
  public static SeedMean of(Collection<Double> values) {
    int n = values.size();
    double mean = values.stream().mapToDouble(x -> x).average().orElse(Double.NaN);
    if (n < 2) {
      return new SeedMean(n, mean, Double.NaN, Double.NaN);
    }
    double squares = values.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum();
    double half = t(n - 1) * Math.sqrt(squares / (n - 1) / n);
    return new SeedMean(n, mean, mean - half, mean + half);
  }

  /** From 31 degrees of freedom on by the first terms of its expansion about the normal point. */
  private static double t(int freedom) {
    return freedom <= T.length ? T[freedom - 1] : 1.95996 + 2.3722 / freedom + 2.8225 / freedom / freedom;
  }
}
