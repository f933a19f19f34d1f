package dev.lethe.replay;

import dev.lethe.tensor.Tensor;

/**
 * Where a real retraining left every request's stream, for the replay to go on from.
 *
 * @param step the first step of the log that is left to do
 * @param count optimiser steps that the retraining has done; fewer than {@code step} where batches were empty
 * @param thetas host (k,P), or (1,P) where all streams begin alike, and so the other two
 * @param first AdamW's m or SGD's buffer, host (k,P)
 * @param second AdamW's v, host (k,P); null for SGD
 */
public record ReplayStart(int step, long count, Tensor thetas, Tensor first, Tensor second) {}
