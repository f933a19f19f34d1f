package dev.lethe.train;

import dev.lethe.data.Sample;
import dev.lethe.tensor.SplitMix64;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The order in which an epoch sees the samples. With shuffling, samples are sorted by a random key,
 * {@code key(seed, epoch, id) = SplitMix64.bits(SplitMix64.bits(seed, epoch) xor fnv1a(id), 0)},
 * unsigned, and by position where keys are equal. The key of a sample does not depend on the
 * others, so a run without some samples sees the rest in the same order: what a retraining is
 * compared with. Nothing but the epoch's number has to be kept to resume.
 */
final class SampleOrder {
  private final List<Sample> samples;
  private final long seed;
  private final boolean shuffle;

  SampleOrder(List<Sample> samples, long seed, boolean shuffle) {
    this.samples = samples;
    this.seed = seed;
    this.shuffle = shuffle;
  }

  /** The places of the samples in the order of an epoch, which counts from 0. */
  int[] places(long epoch) {
    IntStream all = IntStream.range(0, samples.size());
    if (!shuffle) {
      return all.toArray();
    }
    long epochSeed = SplitMix64.bits(seed, epoch);
    long[] keys = new long[samples.size()];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = SplitMix64.bits(epochSeed ^ fnv1a(samples.get(i).id()), 0);
    }
    return all.boxed()
        .sorted((i, j) -> Long.compareUnsigned(keys[i], keys[j]))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /** The 64-bit FNV-1a hash of a text's UTF-8 bytes. */
  private static long fnv1a(String text) {
    long hash = 0xCBF29CE484222325L;
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return hash;
  }
}
