package dev.lethe.backend.kernel;

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
   */
  void apply(Apply call);

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

  /**
   * @param keys I32 (N,2): the low and the high half of each row's key
   * @param x (N,D) or (k,N,D)
   * @param y as x, out
   * @param accumulate add to y instead of overwriting it
   */
  record Apply(long seed, double probability, Tensor keys, Tensor x, Tensor y, boolean accumulate)
      implements KernelCall {
    @Override
    public String name() {
      return "dropout.apply";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2, 3);
      check.activation("x", x, x.shape().toArray());
      check.activation("y", y, x.shape().toArray());
      check.integers("keys", keys, x.dim(-2), 2);
      check.that(probability >= 0 && probability < 1, "probability", "[0,1)", probability);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, keys, x, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.dropout().apply(this);
    }
  }
}
