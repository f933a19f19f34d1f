package dev.lethe.unlearn.request;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.unlearn.EraserOptions;

/**
 * What a certificate measures.
 *
 * @param rows how many target rows, drawn by the seed; {@link EraserOptions#ALL_ROWS}, or 0 for none
 * @param seed of the draw
 * @param weightDecay of the objectives
 * @param limits of the batches
 */
public record Measuring(int rows, long seed, double weightDecay, BatchLimits limits) {
  /** No target rows: the losses of the requested rows alone. */
  public static final Measuring REQUESTED_ROWS = new Measuring(0, 0, 0, BatchLimits.DEFAULT);
}
