package dev.lethe.data;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.ArrayList;
import java.util.List;

/** Cuts a list of samples into batches; the samples of a batch are packed, without padding. */
public final class Batches {
  private Batches() {}

  /**
   * Consecutive batches in the given order, each as full as both bounds allow. A sample is never
   * cut; one that is longer than {@code maxTokens} gets a batch of its own.
   *
   * @param maxSamples the most samples in a batch, at least 1
   * @param maxTokens the most tokens in a batch of several samples, at least 1
   */
  public static List<List<Sample>> split(List<Sample> samples, int maxSamples, long maxTokens) {
    if (maxSamples < 1 || maxTokens < 1) {
      throw new ArgumentException(
          Text.format("batches of %d samples, %d tokens: both must be at least 1", maxSamples, maxTokens));
    }
    List<List<Sample>> batches = new ArrayList<>();
    List<Sample> batch = new ArrayList<>();
    long tokens = 0;
    for (Sample sample : samples) {
      boolean full = batch.size() == maxSamples || tokens + sample.length() > maxTokens;
      if (full && !batch.isEmpty()) {
        batches.add(List.copyOf(batch));
        batch.clear();
        tokens = 0;
      }
      batch.add(sample);
      tokens += sample.length();
    }
    if (!batch.isEmpty()) {
      batches.add(List.copyOf(batch));
    }
    return batches;
  }

  /** Tokens of samples together. */
  public static long tokens(List<Sample> samples) {
    return samples.stream().mapToLong(Sample::length).sum();
  }
}
