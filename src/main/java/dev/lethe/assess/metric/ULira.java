package dev.lethe.assess.metric;

import java.util.ArrayList;
import java.util.List;

/**
 * U-LiRA: for each row, how often a likelihood-ratio test tells a model that unlearned it from one that never saw it. Each
 * model is judged by normal distributions that the other models of both kinds give. Hayes et al., arXiv 2403.01218.
 */
public final class ULira {
  /** The fewest models of a kind: two must be left to fit a distribution with a spread, and one more to count. */
  public static final int FEWEST_MODELS = 4;

  /** Below this spread all models of a kind say the same, which no normal distribution describes. */
  private static final double LEAST_SPREAD = 1e-6;

  private ULira() {}

  /**
   * The share of right decisions for each row: ½ is chance, 1 is certain.
   *
   * @param unlearned losses, a row of the array for each model
   * @param retrained losses of models that never saw the rows
   */
  public static double[] accuracies(double[][] unlearned, double[][] retrained) {
    int rows = unlearned[0].length;
    double[] shares = new double[rows];
    for (int row = 0; row < rows; row++) {
      double[] one = confidences(unlearned, row);
      double[] other = confidences(retrained, row);
      double right = 0;
      for (int i = 0; i < one.length; i++) {
        right += wins(one[i], without(one, i), other);
      }
      for (int i = 0; i < other.length; i++) {
        right += wins(other[i], without(other, i), one);
      }
      shares[row] = right / (one.length + other.length);
    }
    return shares;
  }

  /** log p/(1 − p) of each model's probability e^−loss. */
  private static double[] confidences(double[][] losses, int row) {
    double[] values = new double[losses.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = -losses[i][row] - Math.log(-Math.expm1(-losses[i][row]));
    }
    return values;
  }

  /** 1 where the value is likelier among its own kind, ½ where it is as likely among the others. */
  private static double wins(double value, double[] own, double[] others) {
    double difference = logDensity(value, own) - logDensity(value, others);
    return difference > 0 ? 1 : difference < 0 ? 0 : 0.5;
  }

  private static double logDensity(double value, double[] of) {
    double mean = 0;
    for (double x : of) {
      mean += x / of.length;
    }
    double square = 0;
    for (double x : of) {
      square += (x - mean) * (x - mean) / (of.length - 1);
    }
    double spread = Math.max(LEAST_SPREAD, Math.sqrt(square));
    double z = (value - mean) / spread;
    return -z * z / 2 - Math.log(spread);
  }

  private static double[] without(double[] values, int left) {
    List<Double> rest = new ArrayList<>();
    for (int i = 0; i < values.length; i++) {
      if (i != left) {
        rest.add(values[i]);
      }
    }
    return rest.stream().mapToDouble(x -> x).toArray();
  }
}
