package dev.lethe.solve;

import dev.lethe.LetheException;

/**
 * What a solve may cost and when it is done.
 *
 * @param tolerance stop at ‖(C+λI)x − b‖ ≤ tolerance·‖b‖
 * @param maxIterations the most iterations; of {@code sgd}, passes over the mini-batches
 * @param seed of power iteration starts ({@code lissa}, {@code sgd}) and batch order ({@code sgd})
 * @param powerIterations products spent on the largest eigenvalue ({@code lissa}, {@code sgd})
 * @param directLimit the largest matrix that {@code direct} factorises, in rows
 */
public record SolverOptions(
    double tolerance, int maxIterations, long seed, int powerIterations, int directLimit) {
  /** Tolerance 1e-6, 1,000 iterations, seed 0, 20 power iterations, matrices up to 4,096 rows. */
  public static final SolverOptions DEFAULT = new SolverOptions(1e-6, 1000, 0, 20, 4096);

  public SolverOptions {
    if (!(tolerance > 0) || tolerance >= 1) {
      throw refused("tolerance", "above 0 and below 1", tolerance);
    }
    requirePositive("maximum of iterations", maxIterations);
    requirePositive("power iterations", powerIterations);
    requirePositive("size limit of a direct solve", directLimit);
  }

  /** The usual three. */
  public static SolverOptions of(double tolerance, int maxIterations, long seed) {
    return new SolverOptions(
        tolerance, maxIterations, seed, DEFAULT.powerIterations, DEFAULT.directLimit);
  }

  private static void requirePositive(String what, int value) {
    if (value < 1) {
      throw refused(what, "at least 1", value);
    }
  }

  private static LetheException refused(String what, String expected, Number got) {
    return new LetheException(
        "solver options", "the " + what + " is out of range", expected, got.toString(),
        "Pass another value.");
  }
}
