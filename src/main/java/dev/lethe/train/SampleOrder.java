package dev.lethe.train;

import dev.lethe.data.Sample;
import dev.lethe.tensor.SplitMix64;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

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

  /** The samples in the order of an epoch, which counts from 0. */
  List<Sample> of(long epoch) {
    if (!shuffle) {
      return samples;
    }
    long epochSeed = SplitMix64.bits(seed, epoch);
    List<Keyed> keyed = new ArrayList<>(samples.size());
    for (Sample sample : samples) {
      keyed.add(new Keyed(SplitMix64.bits(epochSeed ^ fnv1a(sample.id()), 0), sample));
    }
    keyed.sort(Comparator.comparing(Keyed::key, Long::compareUnsigned));
    return keyed.stream().map(Keyed::sample).toList();
  }

  /** The 64-bit FNV-1a hash of a text's UTF-8 bytes. */
  private static long fnv1a(String text) {
    long hash = 0xCBF29CE484222325L;
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return hash;
  }

  private record Keyed(long key, Sample sample) {}
}
