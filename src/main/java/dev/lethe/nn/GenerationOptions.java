package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * How to continue a text.
 *
 * @param maxNewTokens the most tokens to add
 * @param temperature divides the logits before sampling; 0: always the likeliest token
 * @param topP sample from the smallest set of tokens with at least this probability; 1: from all
 * @param seed of the sampling
 * @param stopIds tokens that end the text
 */
public record GenerationOptions(
    int maxNewTokens, double temperature, double topP, long seed, int[] stopIds) {
  public GenerationOptions {
    boolean valid =
        maxNewTokens >= 0
            && temperature >= 0
            && temperature <= Double.MAX_VALUE
            && topP > 0
            && topP <= 1;
    if (!valid) {
      throw new ArgumentException(
          Text.format(
              "generation of %d tokens at temperature %s, top-p %s",
              maxNewTokens, temperature, topP));
    }
    stopIds = stopIds.clone();
  }

  /** Always the likeliest token. */
  public static GenerationOptions greedy(int maxNewTokens, int... stopIds) {
    return new GenerationOptions(maxNewTokens, 0, 1, 0, stopIds);
  }

  @Override
  public int[] stopIds() {
    return stopIds.clone();
  }
}
