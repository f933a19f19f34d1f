package dev.lethe.train;

import dev.lethe.LetheException;
import java.util.Locale;

/** What becomes of the weights of a batch's other rows when a row is removed from it. */
public enum Divisor {
  /** They stay: the removed row keeps its slot at weight 0, and the mean still divides by all slots. */
  KEEP,
  /** The mean divides by the rows that are left; a batch that has lost all its rows makes no step. */
  SHRINK;

  /** By name, as on the command line. */
  public static Divisor of(String name) {
    return switch (name) {
      case "keep" -> KEEP;
      case "shrink" -> SHRINK;
      default ->
          throw new LetheException(
              "divisor", "there is no divisor of this name", "keep or shrink", name,
              "Choose one of them.");
    };
  }

  /** The name on the command line. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The weights of a batch's slots without some of its rows.
   *
   * @param weights of every slot; 0 where its row was removed before
   * @param gone which rows are removed now
   * @return 0 for removed rows; all 0 where nothing is left
   */
  public double[] weights(double[] weights, boolean[] gone) {
    double[] left = new double[weights.length];
    double sum = 0;
    double sumLeft = 0;
    int count = 0;
    int countLeft = 0;
    for (int i = 0; i < weights.length; i++) {
      sum += weights[i];
      count += weights[i] == 0 ? 0 : 1;
      if (!gone[i]) {
        left[i] = weights[i];
        sumLeft += weights[i];
        countLeft += weights[i] == 0 ? 0 : 1;
      }
    }
    if (this == KEEP || countLeft == count) {
      return left;
    }
    for (int i = 0; i < left.length; i++) {
      boolean mean = left[i] == 1.0 / count;
      left[i] = left[i] == 0 ? 0 : mean ? 1.0 / countLeft : left[i] * (sum / sumLeft);
    }
    return left;
  }
}
