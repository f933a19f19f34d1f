package dev.lethe.assess.metric;

import java.util.Arrays;

/**
 * Scores by a row's least expected tokens: training data has few surprising ones. Higher means likelier to have been
 * trained on.
 */
public final class MinK {
  private static final double SMALLEST_VARIANCE = 1e-6;

  private MinK() {}

  /**
   * The mean log probability of the share of tokens with the lowest: Min-K% Prob (Shi et al., arXiv 2310.16789).
   *
   * @param share of the tokens, 0 … 1; at least one token counts
   */
  public static double prob(TokenScores row, double share) {
    return lowest(row.logProbability(), share);
  }

  /**
   * The same after each log probability is standardised by the mean and the spread over the vocabulary at its position:
   * Min-K%++ (Zhang et al., arXiv 2404.02936). Variances below 1e-6 count as that, as in open-unlearning.
   */
  public static double plusPlus(TokenScores row, double share) {
    double[] standard = new double[row.logProbability().length];
    for (int t = 0; t < standard.length; t++) {
      double spread = Math.sqrt(Math.max(row.variance()[t], SMALLEST_VARIANCE));
      standard[t] = (row.logProbability()[t] - row.mean()[t]) / spread;
    }
    return lowest(standard, share);
  }

  private static double lowest(double[] values, double share) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int count = Math.max(1, (int) (sorted.length * share));
    return Arrays.stream(sorted, 0, count).average().orElseThrow();
  }
}
