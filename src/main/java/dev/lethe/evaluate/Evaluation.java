package dev.lethe.evaluate;

import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Losses of a data set row by row, and their means. */
public final class Evaluation {
  private Evaluation() {}

  /**
   * The rows' losses in data order.
   *
   * @param theta adapter parameters (P)
   */
  public static List<RowLoss> rows(DatasetLoss loss, Tensor theta) {
    double[] losses = loss.losses(theta);
    List<RowLoss> rows = new ArrayList<>(losses.length);
    for (int i = 0; i < losses.length; i++) {
      Sample sample = loss.samples().get(i);
      rows.add(new RowLoss(sample.id(), losses[i], sample.supervised()));
    }
    return rows;
  }

  /** The mean of the rows' losses, each row alike: the objective that training minimises. */
  public static double mean(List<RowLoss> rows) {
    return rows.stream().mapToDouble(RowLoss::loss).average().orElse(Double.NaN);
  }

  /** exp of the mean loss of a token, each token alike. */
  public static double perplexity(List<RowLoss> rows) {
    double logProbability = rows.stream().mapToDouble(RowLoss::logProbability).sum();
    long tokens = rows.stream().mapToLong(RowLoss::tokens).sum();
    return Math.exp(-logProbability / tokens);
  }
}
