package dev.lethe.curvature;

import dev.lethe.tensor.Tensor;

/**
 * A curvature that is a sum over mini-batches. Each batch gives an estimate of the whole: the mean
 * over all batches of {@link #applyBatch} is {@link #apply}.
 */
public interface StochasticCurvature extends CurvatureOperator {
  /** Number of mini-batches, at least 1. */
  int batches();

  /**
   * out = the batch's estimate of C v, that is {@link #batches} times the batch's own term.
   *
   * @param batch 0 … batches-1
   * @param v (k,P)
   * @param out (k,P), overwritten
   */
  void applyBatch(int batch, Tensor v, Tensor out);
}
