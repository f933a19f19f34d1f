package dev.lethe.tensor;

/**
 * Random numbers as a pure function of seed and index (Steele, Lea and Flood, OOPSLA 2014), so that
 * no generator state has to be kept.
 */
public final class SplitMix64 {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private SplitMix64() {}

  /** The index-th 64 random bits of a seed. */
  public static long bits(long seed, long index) {
    long z = seed + (index + 1) * GOLDEN;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** The index-th number of a seed, uniform in [0, 1). */
  public static double uniform(long seed, long index) {
    return (bits(seed, index) >>> 11) * 0x1.0p-53;
  }
}
