package dev.lethe.nn;

import java.util.Arrays;
import java.util.Comparator;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Chooses a token from logits at a temperature above 0: at random from the smallest set of likeliest
 * tokens that holds top-p of the probability. Holtzman et al., arXiv 1904.09751.
 */
final class TokenSampler {
  private final double temperature;
  private final double topP;
  private final RandomGenerator random;

  TokenSampler(GenerationOptions options) {
    this.temperature = options.temperature();
    this.topP = options.topP();
    this.random = LoraInit.generator(options.seed());
  }

  /** The next token for these logits (V). */
  int next(double[] logits) {
    double max = Arrays.stream(logits).max().orElseThrow();
    double[] weight = new double[logits.length];
    double total = 0;
    for (int id = 0; id < weight.length; id++) {
      weight[id] = Math.exp((logits[id] - max) / temperature);
      total += weight[id];
    }
    int[] order =
        IntStream.range(0, weight.length)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer id) -> -weight[id]))
            .mapToInt(Integer::intValue)
            .toArray();
    int kept = 0;
    double keptWeight = 0;
    while (kept < order.length && (kept == 0 || keptWeight < topP * total)) {
      keptWeight += weight[order[kept++]];
    }
    double point = random.nextDouble() * keptWeight;
    for (int i = 0; i < kept - 1; i++) {
      point -= weight[order[i]];
      if (point < 0) {
        return order[i];
      }
    }
    return order[kept - 1];
  }
}
