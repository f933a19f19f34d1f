package dev.lethe.backend.kernel.operand;

import dev.lethe.tensor.Tensor;

/**
 * Cosines and sines of a rotary embedding by position.
 *
 * @param cos (positions, pairs)
 * @param sin (positions, pairs)
 * @param headSize how many numbers a head has; the first 2·pairs of them turn, the rest stays
 */
public record RopeTable(Tensor cos, Tensor sin, long headSize) {
  /** How many pairs of a head turn. */
  public long pairs() {
    return cos.dim(1);
  }

  public long positions() {
    return cos.dim(0);
  }
}
