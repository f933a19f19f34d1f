package dev.lethe.assess.metric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** U-LiRA on models whose answer is known. */
class ULiraTest {
  /** Two kinds far apart are always told, two alike never but by chance, the same models in both never. */
  @Test
  void theEndsOfTheScale() {
    double[][] low = {{0.10}, {0.11}, {0.12}, {0.13}};
    double[][] high = {{2.0}, {2.1}, {2.2}, {2.3}};
    assertArrayEquals(new double[] {1}, ULira.accuracies(low, high), 0);
    assertArrayEquals(new double[] {1}, ULira.accuracies(high, low), 0);
  }

  /**
   * By hand: confidences 0 and ±1 of a kind against ±3 of the other. The middle one, 0, is judged by N(0, 2) of its own and
   * N(0, 12) of the others' mean 0: the narrower wins. ±1 have one left at 0 and one at ∓1: N(∓½, ½), and z = 3/√2.
   */
  @Test
  void byHand() {
    double[][] own = losses(-1, 0, 1);
    double[][] others = losses(-3, 0, 3);
    double right = 0;
    double[][] pairs = {{0, -1, 1}, {-1, 0, 1}, {1, -1, 0}};
    for (double[] p : pairs) {
      right += density(p[0], p[1], p[2]) > density(p[0], -3, 0, 3) ? 1 : 0;
    }
    double[][] otherPairs = {{0, -3, 3}, {-3, 0, 3}, {3, -3, 0}};
    for (double[] p : otherPairs) {
      right += density(p[0], p[1], p[2]) > density(p[0], -1, 0, 1) ? 1 : 0;
    }
    assertEquals(right / 6, ULira.accuracies(own, others)[0], 1e-12);
    assertEquals(0.5, right / 6, 0.35, "neither certain nor impossible");
  }

  /** Losses of models that are this confident. */
  private static double[][] losses(double... confidences) {
    double[][] losses = new double[confidences.length][1];
    for (int i = 0; i < losses.length; i++) {
      losses[i][0] = Math.log1p(Math.exp(-confidences[i]));
    }
    return losses;
  }

  private static double density(double x, double... of) {
    double mean = 0;
    for (double value : of) {
      mean += value / of.length;
    }
    double variance = 0;
    for (double value : of) {
      variance += Math.pow(value - mean, 2) / (of.length - 1);
    }
    return Math.exp(-Math.pow(x - mean, 2) / (2 * variance)) / Math.sqrt(variance);
  }
}
