package dev.lethe.train;

/**
 * What one optimiser step did.
 *
 * @param step 1 for the first; counts batches that make no step, too
 * @param totalSteps of the whole run
 * @param epoch passes over the data after this step, a fraction
 * @param learningRate used in this step
 * @param loss mean over the step's samples of their mean token loss, before the step; NaN where none is left
 * @param gradientNorm ‖g‖ before clipping
 * @param tokens computed in this step
 * @param seconds that it took; 0 where no row was left
 */
public record StepLog(
    long step,
    long totalSteps,
    double epoch,
    double learningRate,
    double loss,
    double gradientNorm,
    long tokens,
    double seconds) {
  /** Tokens computed in this step by its time; 0 where no row was left. */
  public double tokensPerSecond() {
    return seconds == 0 ? 0 : tokens / seconds;
  }
}
