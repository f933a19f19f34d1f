package dev.lethe.unlearn.recording;

import dev.lethe.LetheException;
import dev.lethe.replay.operator.RefreshedOperator;

/**
 * How a recorded training is replayed.
 *
 * @param exactHead part of the steps that is really retrained first, from 0 to 1
 * @param budget the most that the request may cost, in retrainings: what the changed rows leave of it goes into
 *     measured steps, and the rest into the exact head; NaN for no bound. One of the two.
 * @param operatorEvery the most steps from one product of the operator's curvature to the next, as it was opened;
 *     {@link RefreshedOperator#BY_TURN} for no bound
 * @param measuredSteps at how many steps the operator is measured and corrected; {@link #BY_COST} for as many as cost
 *     about a twentieth of a retraining, 0 for a plain replay without an estimate of its error
 * @param force whether to go on where the certificate's measurements say that the result is no good
 */
public record ReplayOptions(
    double exactHead, double budget, int operatorEvery, int measuredSteps, boolean force) {
  /** As many measured steps as cost about a twentieth of a retraining. */
  public static final int BY_COST = -1;

  /** Replay alone, a product in every step. */
  public static final ReplayOptions DEFAULT =
      new ReplayOptions(0, Double.NaN, 1, BY_COST, false);

  /** What {@code lethe unlearn} does: a product whenever the direction has turned. */
  public static final ReplayOptions USUAL =
      new ReplayOptions(0, Double.NaN, RefreshedOperator.BY_TURN, BY_COST, false);

  private static final double MEASURING = 0.05;
  private static final int FEWEST = 8;
  private static final int MOST = 16;

  public ReplayOptions {
    require(exactHead >= 0 && exactHead <= 1, "exact head", "a part from 0 to 1", exactHead);
    require(Double.isNaN(budget) || budget > 0, "budget", "more than 0 retrainings", budget);
    require(
        Double.isNaN(budget) || exactHead == 0, "exact head", "none beside a budget", exactHead);
    require(
        measuredSteps >= 0 || measuredSteps == BY_COST,
        "number of measured steps", "0 or more", measuredSteps);
    require(operatorEvery >= 0, "number of steps between products", "0 or more", operatorEvery);
  }

  /** How many steps to measure at most in a training of so many steps and row gradients. */
  public int measuredSteps(int steps, long retraining) {
    if (measuredSteps != BY_COST) {
      return Math.min(measuredSteps, steps);
    }
    double rows = (double) retraining / steps;
    return Math.min(steps, Math.clamp(Math.round(MEASURING * retraining / rows), FEWEST, MOST));
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
