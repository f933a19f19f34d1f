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
 * @param tokensPerSecond tokens computed in this step by its time
 */
public record StepLog(
    long step,
    long totalSteps,
    double epoch,
    double learningRate,
    double loss,
    double gradientNorm,
    double tokensPerSecond) {}
