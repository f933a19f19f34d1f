package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Dropout with a mask that is a pure function of a seed and the element's index, so that every mode
 * (all four are this one linear map) and every backend sees the same mask.
 */
public interface DropoutKernels {
  /**
   * y = x∘m/(1−p), m = [{@link #keeps}(seed, index, p)]; with leading k the mask repeats per direction.
   *
   * @param x (N,D) or (k,N,D)
   * @param y as x, out
   * @param accumulate add to y instead of overwriting it
   * @param maskElements N·D: the elements after which the mask repeats
   */
  void apply(
      long seed, double probability, long maskElements, Tensor x, Tensor y, boolean accumulate);

  /** Whether element {@code index} survives: SplitMix64 of seed and index against the probability. */
  static boolean keeps(long seed, long index, double probability) {
    long z = seed + (index + 1) * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    z ^= z >>> 31;
    return (z >>> 11) * 0x1.0p-53 >= probability;
  }
}
