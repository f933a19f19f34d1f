package dev.lethe.replay;

import dev.lethe.tensor.Tensor;

/**
 * What a replay came to.
 *
 * @param differences θ′ − θ at the end, host (k,P) in the vector type: what the requests change
 * @param rowGradients gradients of single rows that were computed
 * @param firstTouched the first step that a request changes; the number of steps where there is none
 * @param seconds where the time went
 */
public record Replayed(Tensor differences, long rowGradients, int firstTouched, Seconds seconds) {
  /** Seconds that one row's gradient took, the mean; NaN where none was made. */
  public double secondsPerRow() {
    return rowGradients == 0 ? Double.NaN : seconds.gradients / rowGradients;
  }

  /**
   * Wall-clock seconds.
   *
   * @param gradients of the changed rows
   * @param operator products
   * @param optimizer steps of all streams, and reading the log
   */
  public record Seconds(double gradients, double operator, double optimizer) {}
}
