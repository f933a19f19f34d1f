package dev.lethe.replay;

import dev.lethe.tensor.Tensor;

/**
 * Where a real retraining left every request's stream, for the replay to go on from.
 *
 * @param step steps that the retraining has done
 * @param thetas host (k,P)
 * @param first AdamW's m or SGD's buffer, host (k,P)
 * @param second AdamW's v, host (k,P); null for SGD
 */
public record ReplayStart(int step, Tensor thetas, Tensor first, Tensor second) {}
