package dev.lethe.backend.kernel;

import dev.lethe.tensor.Tensor;

/**
 * Cosines and sines of a rotary embedding by position.
 *
 * @param cos (positions, headSize/2)
 * @param sin (positions, headSize/2)
 */
public record RopeTable(Tensor cos, Tensor sin) {
  public long headSize() {
    return 2 * cos.dim(1);
  }

  public long positions() {
    return cos.dim(0);
  }
}
