package dev.lethe.evaluate;

import java.util.Arrays;

/**
 * TOFU's truth ratio (arXiv 2401.06121) as open-unlearning computes it: with ℓ̄ the mean loss of a
 * token, R = exp(−mean over wrong answers of ℓ̄) / exp(−ℓ̄ of the paraphrased right one). The paper
 * averages probabilities where this averages losses.
 */
public final class TruthRatio {
  private TruthRatio() {}

  /** R of one question; above 1 where the wrong answers are the likelier ones. */
  public static double of(double paraphrasedLoss, double... perturbedLosses) {
    return Math.exp(paraphrasedLoss - Arrays.stream(perturbedLosses).average().orElseThrow());
  }

  /**
   * Forget quality: how alike the truth ratios on the forgotten questions are to those of a model
   * that was trained without them. The p-value depends on how many questions there are; report the
   * statistic too.
   */
  public static KolmogorovSmirnov forgetQuality(double[] unlearned, double[] retrained) {
    return KolmogorovSmirnov.of(unlearned, retrained);
  }
}
