package dev.lethe.assess.metric;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * How much of a distance to retraining is closed: 1 − Σd(unlearned, retrained)/Σd(original, retrained) over rows. 1 is
 * retraining itself, 0 is doing nothing, below 0 is worse than doing nothing.
 */
public final class Closure {
  /** Mean distance of a row below which there is nothing to close: float32 models differ by as much between devices. */
  public static final double NOTHING = 1e-7;

  private Closure() {}

  /**
   * The share that is closed.
   *
   * @param now each row's distance between the unlearned and the retrained adapter, not negative
   * @param before each row's distance between the original and the retrained one
   */
  public static Estimate of(double[] now, double[] before, Bootstrap bootstrap) {
    if (now.length != before.length) {
      throw new ArgumentException(Text.format("%d rows now, %d before", now.length, before.length));
    }
    if (now.length == 0) {
      return Estimate.none("no rows");
    }
    double all = 0;
    for (double distance : before) {
      all += distance;
    }
    if (all / before.length < NOTHING) {
      return Estimate.none("the original predicts these rows as the retrained adapter does: nothing to close");
    }
    return bootstrap.of(
        now.length,
        rows -> {
          double left = 0;
          double whole = 0;
          for (int row : rows) {
            left += now[row];
            whole += before[row];
          }
          return 1 - left / whole;
        });
  }
}
