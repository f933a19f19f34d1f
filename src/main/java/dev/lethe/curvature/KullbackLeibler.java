package dev.lethe.curvature;

import dev.lethe.tensor.Tensor;

/** How far one prediction of the next token is from another: KL(p‖q) in nats. */
public final class KullbackLeibler {
  private KullbackLeibler() {}

  /**
   * KL(p‖q) at every position. Probabilities q below the smallest normal float count as that.
   *
   * @param p host F64 (M,V), each row a distribution
   * @param q as p
   * @return M numbers
   */
  public static double[] ofRows(Tensor p, Tensor q) {
    double[] one = p.toDoubles();
    double[] other = q.toDoubles();
    int vocabulary = Math.toIntExact(p.dim(1));
    double[] divergences = new double[Math.toIntExact(p.dim(0))];
    for (int at = 0; at < one.length; at++) {
      if (one[at] > 0) {
        divergences[at / vocabulary] += one[at] * Math.log(one[at] / Math.max(other[at], Float.MIN_NORMAL));
      }
    }
    return divergences;
  }

  /** The mean of positions {@code from … from + count − 1}. */
  public static double mean(double[] divergences, int from, int count) {
    double sum = 0;
    for (int i = from; i < from + count; i++) {
      sum += divergences[i];
    }
    return sum / count;
  }
}
