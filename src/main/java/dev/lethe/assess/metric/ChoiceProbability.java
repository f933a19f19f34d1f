package dev.lethe.assess.metric;

import java.util.Arrays;

/**
 * The probability of the right answer among the answers offered, each by its loss a token (TOFU, arXiv 2401.06121,
 * §2.2.2): exp(−ℓ̄ of the right one) / Σ exp(−ℓ̄).
 */
public final class ChoiceProbability {
  private ChoiceProbability() {}

  /** 0 … 1. */
  public static double of(double rightLoss, double... wrongLosses) {
    double right = Math.exp(-rightLoss);
    double wrong = Arrays.stream(wrongLosses).map(loss -> Math.exp(-loss)).sum();
    return right / (right + wrong);
  }
}
