package dev.lethe.assess.record;

import java.util.Arrays;
import java.util.TreeSet;

/**
 * A ROC curve: the share of forgotten rows found against the share of held-out rows that are taken for trained ones.
 *
 * @param name whose it is
 * @param falseShare ascending from 0 to 1
 * @param trueShare as many, ascending from 0 to 1
 */
public record Curve(String name, double[] falseShare, double[] trueShare) {

  /** The curve of scores that are higher for rows that look trained on. */
  public static Curve of(String name, double[] members, double[] others) {
    TreeSet<Double> thresholds = new TreeSet<>();
    Arrays.stream(members).forEach(thresholds::add);
    Arrays.stream(others).forEach(thresholds::add);
    double[] falseShare = new double[thresholds.size() + 1];
    double[] trueShare = new double[thresholds.size() + 1];
    int at = 1;
    for (double threshold : thresholds.descendingSet()) {
      falseShare[at] = share(others, threshold);
      trueShare[at++] = share(members, threshold);
    }
    return new Curve(name, falseShare, trueShare);
  }

  private static double share(double[] scores, double threshold) {
    return (double) Arrays.stream(scores).filter(score -> score >= threshold).count() / scores.length;
  }
}
