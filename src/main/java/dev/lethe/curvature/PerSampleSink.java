package dev.lethe.curvature;

import dev.lethe.tensor.Tensor;

/** Takes per-sample gradients as they are made. */
@FunctionalInterface
public interface PerSampleSink {
  /**
   * @param firstIndex number of the first of these samples in the data
   * @param gradients ∇ℓᵢ (m,P), valid during the call only
   */
  void accept(int firstIndex, Tensor gradients);
}
