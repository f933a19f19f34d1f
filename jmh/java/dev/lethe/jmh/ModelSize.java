package dev.lethe.jmh;

import dev.lethe.format.StrictJson;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

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
  static final List<String> LINEARS =
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

  /** Hugging Face's config.json. */
  ObjectNode config() {
    ObjectNode json = StrictJson.newObject();
    json.putArray("architectures").add("LlamaForCausalLM");
    return json.put("model_type", "llama")
        .put("hidden_size", hidden)
        .put("num_hidden_layers", layers)
        .put("num_attention_heads", heads)
        .put("num_key_value_heads", Math.max(1, heads / 2))
        .put("intermediate_size", feedForward)
        .put("vocab_size", vocabulary)
        .put("max_position_embeddings", 8192)
        .put("tie_word_embeddings", false);
  }
}
