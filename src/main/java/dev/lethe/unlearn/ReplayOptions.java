package dev.lethe.unlearn;

import dev.lethe.LetheException;

/**
 * How a recorded training is replayed.
 *
 * @param exactHead part of the steps that is really retrained first, from 0 to 1
 * @param budget the most that the request may cost, in retrainings: what the changed rows leave of it goes into the
 *     exact head; NaN for no bound. One of the two.
 * @param operatorEvery steps from one product of the operator to the next
 * @param force whether to go on where the certificate's measurements say that the result is no good
 */
public record ReplayOptions(double exactHead, double budget, int operatorEvery, boolean force) {
  /** Replay alone, a product in every step. */
  public static final ReplayOptions DEFAULT = new ReplayOptions(0, Double.NaN, 1, false);

  public ReplayOptions {
    require(exactHead >= 0 && exactHead <= 1, "exact head", "a part from 0 to 1", exactHead);
    require(Double.isNaN(budget) || budget > 0, "budget", "more than 0 retrainings", budget);
    require(
        Double.isNaN(budget) || exactHead == 0, "exact head", "none beside a budget", exactHead);
    require(operatorEvery >= 1, "number of steps between products", "1 or more", operatorEvery);
  }

  private static void require(boolean holds, String option, String expected, Object got) {
    if (!holds) {
      throw new LetheException(
          "replay options",
          "the " + option + " is out of range",
          expected,
          String.valueOf(got),
          "Pass another value.");
    }
  }
}
