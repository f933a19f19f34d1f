package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Token embedding. The table is frozen and nothing lies below it, so forward is its only mode that is
 * not identically zero.
 */
public interface EmbeddingKernels {
  /**
   * y = table[ids].
   *
   * @param ids I32 (N)
   * @param y (N,D)
   */
  void forward(FrozenEmbedding table, Tensor ids, Tensor y);
}
