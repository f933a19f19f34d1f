package dev.lethe.jmh;

import dev.lethe.bench.Workload;
import java.util.List;

/**
 * The dimensions of a {@link ModelFixture}.
 *
 * @param samples sequences of the batch
 * @param tokens rows of each
 * @param rank of the pairs, which all linear layers have
 * @param vectors directions that a product takes at once, k
 */
public record ModelSize(
    int hidden,
    int layers,
    int heads,
    int feedForward,
    int vocabulary,
    int samples,
    int tokens,
    int rank,
    int vectors) {
  /** The layers with a pair. */
  private static final List<String> LINEARS =
      List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");

  /** Small enough for hundreds of gradients a second, large enough that products dominate. */
  public static final ModelSize SMALL = new ModelSize(192, 4, 4, 512, 2048, 4, 64, 8, 1);

  /** The same with other layers. */
  public ModelSize withLayers(int count) {
    return new ModelSize(
        hidden, count, heads, feedForward, vocabulary, samples, tokens, rank, vectors);
  }

  /** The same with another batch. */
  public ModelSize withBatch(int sequences, int rows) {
    return new ModelSize(
        hidden, layers, heads, feedForward, vocabulary, sequences, rows, rank, vectors);
  }

  /** The same with another rank. */
  public ModelSize withRank(int r) {
    return new ModelSize(
        hidden, layers, heads, feedForward, vocabulary, samples, tokens, r, vectors);
  }

  /** The same with more directions. */
  public ModelSize withVectors(int k) {
    return new ModelSize(
        hidden, layers, heads, feedForward, vocabulary, samples, tokens, rank, k);
  }

  /** Model and batch as {@code lethe bench} makes them, half as many key heads as heads. */
  Workload workload() {
    return new Workload(
        "random", hidden, layers, heads, Math.max(1, heads / 2), feedForward, vocabulary, rank,
        2 * rank, LINEARS, samples, tokens);
  }
}
