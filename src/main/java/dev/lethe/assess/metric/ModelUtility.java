package dev.lethe.assess.metric;

import dev.lethe.ArgumentException;

/**
 * TOFU's model utility (arXiv 2401.06121, §2.2.2): the harmonic mean of nine parts, {probability, ROUGE-L recall, truth
 * ratio} on {retained rows, real authors, world facts}. A model that is useless in one part has no utility.
 */
public final class ModelUtility {
  /** How many parts there are. */
  public static final int PARTS = 9;

  private ModelUtility() {}

  /** The harmonic mean; 0 where a part is 0. */
  public static double of(double... parts) {
    if (parts.length != PARTS) {
      throw new ArgumentException(parts.length + " parts, not " + PARTS);
    }
    double sum = 0;
    for (double part : parts) {
      if (part <= 0) {
        return 0;
      }
      sum += 1 / part;
    }
    return PARTS / sum;
  }

  /** The part that a truth ratio R is on rows that are to be known: max(0, 1 − R). */
  public static double knowing(double truthRatio) {
    return Math.max(0, 1 - truthRatio);
  }
}
