package dev.lethe.evaluate;

import dev.lethe.ArgumentException;
import java.util.Arrays;

/**
 * The two-sample Kolmogorov-Smirnov test, two-sided and exact, as {@code scipy.stats.ks_2samp}
 * computes it for samples of up to ten thousand. TOFU's forget quality is its p-value between the
 * truth ratios of an unlearned and of a retrained model (arXiv 2401.06121, §2.2.3).
 *
 * @param statistic the largest distance between the two empirical distributions, 0 … 1
 * @param pValue how likely a distance as large is when both samples have one distribution
 */
public record KolmogorovSmirnov(double statistic, double pValue) {

  /** Compares two samples, neither empty. */
  public static KolmogorovSmirnov of(double[] x, double[] y) {
    if (x.length == 0 || y.length == 0) {
      throw new ArgumentException("both samples need at least one number");
    }
    double[] a = x.clone();
    double[] b = y.clone();
    Arrays.sort(a);
    Arrays.sort(b);
    long m = a.length;
    long n = b.length;
    long largest = 0;
    int i = 0;
    int j = 0;
    while (i < m && j < n) {
      double value = Math.min(a[i], b[j]);
      while (i < m && a[i] <= value) {
        i++;
      }
      while (j < n && b[j] <= value) {
        j++;
      }
      largest = Math.max(largest, Math.abs(i * n - j * m));
    }
    return new KolmogorovSmirnov((double) largest / (m * n), tail(a.length, b.length, largest));
  }

  /**
   * The probability that a random walk from (0,0) to (m,n) leaves the band |i·n − j·m| &lt; bound,
   * all orders of the pooled sample being equally likely. Probabilities are kept, not counts of
   * paths: step (i,j) is reached by its last move with weight i/(i+j) or j/(i+j).
   */
  private static double tail(int m, int n, long bound) {
    if (bound == 0) {
      return 1;
    }
    double[] left = new double[n + 1];
    for (int i = 0; i <= m; i++) {
      for (int j = 0; j <= n; j++) {
        double outside = 1;
        if (Math.abs((long) i * n - (long) j * m) < bound) {
          outside = 0;
          if (i + j > 0) {
            double fromI = i == 0 ? 0 : left[j] * i / (i + j);
            double fromJ = j == 0 ? 0 : left[j - 1] * j / (i + j);
            outside = fromI + fromJ;
          }
        }
        left[j] = outside;
      }
    }
    return left[n];
  }
}
