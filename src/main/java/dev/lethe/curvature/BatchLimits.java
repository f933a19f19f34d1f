package dev.lethe.curvature;

import dev.lethe.LetheException;
import java.io.Serializable;

/**
 * How much data is worked on at a time. It decides memory and speed, and rounding only otherwise.
 *
 * @param maxSamples the most samples in a batch
 * @param maxTokens the most tokens in a batch of several samples
 */
public record BatchLimits(int maxSamples, long maxTokens) implements Serializable {
  /** 32 samples, 4,096 tokens. */
  public static final BatchLimits DEFAULT = new BatchLimits(32, 4096);

  public BatchLimits {
    if (maxSamples < 1 || maxTokens < 1) {
      throw new LetheException(
          "batch limits", "must be positive", "at least 1 sample and 1 token",
          maxSamples + " samples, " + maxTokens + " tokens", "Pass larger limits.");
    }
  }
}
