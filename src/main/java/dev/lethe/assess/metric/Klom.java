package dev.lethe.assess.metric;

import java.util.Arrays;

/**
 * KLOM, the KL divergence of margins between models that unlearned and models that were retrained (Georgiev et al.,
 * arXiv 2410.23232): per row, margins of both kinds are sorted into twenty common bins, and the histograms compared. A
 * margin is log p/(1−p); of a row with several tokens, their mean.
 */
public final class Klom {
  /** Models of each kind below which a histogram of twenty bins says little; the paper takes a hundred. */
  public static final int MODELS_WANTED = 20;

  private static final int BINS = 20;
  private static final double EMPTY = 1e-5;
  private static final double LARGEST = 100;

  private Klom() {}

  /**
   * KL(unlearned‖retrained) of one row's margins. Bins that are empty on the retrained side count as 1e-5.
   *
   * @param unlearned a margin of each unlearned model, at least one
   * @param retrained a margin of each retrained model, at least one
   */
  public static double of(double[] unlearned, double[] retrained) {
    double[] p = clipped(unlearned);
    double[] q = clipped(retrained);
    double low = Math.min(Arrays.stream(p).min().orElseThrow(), Arrays.stream(q).min().orElseThrow());
    double high = Math.max(Arrays.stream(p).max().orElseThrow(), Arrays.stream(q).max().orElseThrow());
    if (low == high) {
      return 0;
    }
    double[] ofP = histogram(p, low, high);
    double[] ofQ = histogram(q, low, high);
    double divergence = 0;
    for (int bin = 0; bin < BINS; bin++) {
      divergence += ofP[bin] > 0 ? ofP[bin] * Math.log(ofP[bin] / Math.max(ofQ[bin], EMPTY)) : 0;
    }
    return divergence;
  }

  /** log p/(1−p) of a token by its log probability, within ±100. */
  public static double margin(double logProbability) {
    double rest = -Math.expm1(logProbability);
    return Math.clamp(logProbability - Math.log(Math.max(rest, Double.MIN_NORMAL)), -LARGEST, LARGEST);
  }

  private static double[] clipped(double[] margins) {
    return Arrays.stream(margins).map(x -> Math.clamp(x, -LARGEST, LARGEST)).toArray();
  }

  private static double[] histogram(double[] values, double low, double high) {
    double[] shares = new double[BINS];
    for (double value : values) {
      int bin = (int) Math.min(BINS - 1, Math.floor(BINS * (value - low) / (high - low)));
      shares[bin] += 1.0 / values.length;
    }
    return shares;
  }
}
