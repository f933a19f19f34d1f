package dev.lethe.evaluate;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** The area under the ROC curve: how often a positive row scores above a negative one. */
public final class Auc {
  private Auc() {}

  /**
   * The Mann-Whitney statistic over the number of pairs; equal scores count one half.
   *
   * @param scores (n), finite
   * @param positive (n)
   * @return 0 … 1; NaN where one class is empty
   */
  public static double of(double[] scores, boolean[] positive) {
    if (scores.length != positive.length) {
      throw new ArgumentException(
          Text.format("%d scores and %d labels", scores.length, positive.length));
    }
    Integer[] order = IntStream.range(0, scores.length).boxed().toArray(Integer[]::new);
    Arrays.sort(order, Comparator.comparingDouble(i -> scores[i]));
    double rankSum = 0;
    long positives = 0;
    for (int first = 0; first < order.length; ) {
      int end = first;
      while (end < order.length && scores[order[end]] == scores[order[first]]) {
        end++;
      }
      double rank = (first + 1 + end) / 2.0;
      for (int i = first; i < end; i++) {
        if (positive[order[i]]) {
          rankSum += rank;
          positives++;
        }
      }
      first = end;
    }
    double pairs = (double) positives * (order.length - positives);
    return (rankSum - positives * (positives + 1) / 2.0) / pairs;
  }
}
