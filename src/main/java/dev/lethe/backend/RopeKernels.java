package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Rotary position embedding in the half-split form of Hugging Face's Llama: element j of a head turns
 * with element j + headSize/2. A rotation is linear and orthogonal, so {@link #rotate} is both forward
 * and tangent, and {@link #rotateBack} both backward and backward tangent. Su et al., arXiv 2104.09864.
 */
public interface RopeKernels {
  /**
   * @param positions I32 (N)
   * @param x (k,N,heads·headSize) or (N,heads·headSize)
   * @param y as x, out; may be the same tensor as x
   */
  void rotate(RopeTable table, Tensor positions, Tensor x, Tensor y);

  /** The inverse rotation; arguments as in {@link #rotate}. */
  void rotateBack(RopeTable table, Tensor positions, Tensor x, Tensor y);
}
