package dev.lethe.assess.metric;

import dev.lethe.evaluate.Auc;

/**
 * How well a membership attack tells forgotten rows from rows that were never trained on: the AUC of its scores. One half
 * is chance. The aim is the value of the retrained adapter, which may be another: rows differ in more than membership.
 */
public final class Exposure {
  private Exposure() {}

  /**
   * The AUC with its interval, forgotten and held-out rows drawn again apart.
   *
   * @param forgotten scores, higher for rows that look trained on
   * @param heldOut scores of rows that were never trained on
   */
  public static Estimate auc(double[] forgotten, double[] heldOut, Bootstrap bootstrap) {
    return bootstrap.of(
        new int[] {forgotten.length, heldOut.length}, parts -> auc(forgotten, heldOut, parts));
  }

  /**
   * PrivLeak in percent: 100·((1−AUC) − (1−AUC_r))/(1−AUC_r), where AUC_r is the retrained adapter's, by Min-K% scores
   * (MUSE, arXiv 2407.06460). Zero is ideal; negative: the rows still look trained on; positive: they look less so than
   * after retraining, which shows as well. All are drawn again together: the rows are the same.
   *
   * @param forgotten scores under the adapter
   * @param heldOut scores under the adapter
   * @param forgottenRetrained scores under the retrained adapter
   * @param heldOutRetrained scores under the retrained adapter
   */
  public static Estimate privLeak(
      double[] forgotten,
      double[] heldOut,
      double[] forgottenRetrained,
      double[] heldOutRetrained,
      Bootstrap bootstrap) {
    Estimate estimate =
        bootstrap.of(
            new int[] {forgotten.length, heldOut.length},
            parts -> {
              double aim = auc(forgottenRetrained, heldOutRetrained, parts);
              return aim == 1 ? Double.NaN : 100 * (aim - auc(forgotten, heldOut, parts)) / (1 - aim);
            });
    return estimate.exists() ? estimate : Estimate.none("the attack tells all rows of the retrained adapter apart");
  }

  private static double auc(double[] forgotten, double[] heldOut, int[][] parts) {
    double[] scores = new double[forgotten.length + heldOut.length];
    boolean[] member = new boolean[scores.length];
    for (int i = 0; i < forgotten.length; i++) {
      scores[i] = forgotten[parts[0][i]];
      member[i] = true;
    }
    for (int i = 0; i < heldOut.length; i++) {
      scores[forgotten.length + i] = heldOut[parts[1][i]];
    }
    return Auc.of(scores, member);
  }
}
