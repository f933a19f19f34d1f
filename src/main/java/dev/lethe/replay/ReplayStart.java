package dev.lethe.replay;

import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Where a real retraining left every request's stream, for the replay to go on from.
 *
 * @param step the first step of the log that is left to do
 * @param count optimiser steps that the retraining has done; fewer than {@code step} where batches were empty
 * @param thetas host (k,P)
 * @param first AdamW's m or SGD's buffer, host (k,P)
 * @param second AdamW's v, host (k,P); null for SGD
 */
public record ReplayStart(int step, long count, Tensor thetas, Tensor first, Tensor second) {
  /** The same for two streams of one request. */
  ReplayStart twice() {
    return new ReplayStart(
        step, count, twice(thetas), twice(first), second == null ? null : twice(second));
  }

  private static Tensor twice(Tensor row) {
    MemorySegment memory = Arena.ofAuto().allocate(2 * row.byteSize(), 8);
    Tensor both = Tensor.view(memory, row.dtype(), Shape.of(2, row.dim(1)));
    both.row(0).copyFrom(row);
    both.row(1).copyFrom(row);
    return both;
  }
}
