package dev.lethe.backend;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;

/**
 * Dropout with a mask that is a pure function of a seed, the row's key and the column, so that every mode (all four
 * are this one linear map) and every backend sees the same mask, and a row the same one wherever it stands.
 */
public interface DropoutKernels {
  /**
   * y = x∘m/(1−p), m = [{@link #keeps}({@link #rowSeed}(seed, key), column, p)]; with leading k the mask repeats per
   * direction.
   *
   * @param keys I32 (N,2): the low and the high half of each row's key
   * @param x (N,D) or (k,N,D)
   * @param y as x, out
   * @param accumulate add to y instead of overwriting it
   */
  void apply(
      long seed, double probability, Tensor keys, Tensor x, Tensor y, boolean accumulate);

  /** The seed of a row's mask. */
  static long rowSeed(long seed, long key) {
    return SplitMix64.bits(seed, key);
  }

  /** Whether a column survives: SplitMix64 of seed and column against the probability. */
  static boolean keeps(long rowSeed, long column, double probability) {
    return SplitMix64.uniform(rowSeed, column) >= probability;
  }

  /** The key of a row. */
  static long key(Tensor keys, long row) {
    return (long) keys.get(2 * row) & 0xFFFFFFFFL | (long) keys.get(2 * row + 1) << 32;
  }

  /** Throws where arguments do not fit each other; x and y are in the backend's activation type. */
  static void require(DType type, double probability, Tensor keys, Tensor x, Tensor y) {
    Require.rank("dropout.apply: x", x, 2, 3);
    Require.tensor("dropout.apply: x", x, type, x.shape().toArray());
    Require.tensor("dropout.apply: y", y, type, x.shape().toArray());
    Require.tensor("dropout.apply: keys", keys, DType.I32, x.dim(-2), 2);
    Require.that(
        probability >= 0 && probability < 1, "dropout.apply: probability", "[0,1)", probability);
  }
}
