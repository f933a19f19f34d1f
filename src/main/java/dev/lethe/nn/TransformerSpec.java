package dev.lethe.nn;

import dev.lethe.backend.kernel.AttentionShape;
import dev.lethe.backend.kernel.Nonlinearity;
import dev.lethe.format.Rope;
import dev.lethe.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The dimensions of a decoder-only transformer.
 *
 * @param layers decoder layers
 * @param hidden width of the residual stream, D
 * @param intermediate width of the gated unit, F
 * @param nonlinearity its function
 * @param heads query heads
 * @param keyHeads key and value heads
 * @param headSize width of a head
 * @param vocabulary rows of the embedding, V
 * @param maxPositions the context in tokens
 * @param normEpsilon ε of the norms
 * @param rope the rotary positions
 * @param windows the sliding window of each layer; 0: none
 * @param tiedEmbeddings whether the head is the embedding
 * @param biased the linear layers that have a bias
 * @param bosId the token that begins a text; −1: none
 * @param eosIds the tokens that end one
 */
public record TransformerSpec(
    ModelFamily family,
    int layers,
    long hidden,
    long intermediate,
    Nonlinearity nonlinearity,
    int heads,
    int keyHeads,
    int headSize,
    long vocabulary,
    long maxPositions,
    double normEpsilon,
    Rope rope,
    List<Integer> windows,
    boolean tiedEmbeddings,
    Set<Projection> biased,
    int bosId,
    List<Integer> eosIds) {
  public TransformerSpec {
    windows = List.copyOf(windows);
    biased = Set.copyOf(biased);
    eosIds = List.copyOf(eosIds);
  }

  /** Width of what a linear layer reads. */
  public long in(Projection projection) {
    return switch (projection) {
      case QUERY, KEY, VALUE, GATE, UP -> hidden;
      case OUTPUT -> queryWidth();
      case DOWN -> intermediate;
    };
  }

  /** Width of what a linear layer gives. */
  public long out(Projection projection) {
    return switch (projection) {
      case QUERY -> queryWidth();
      case KEY, VALUE -> keyWidth();
      case OUTPUT, DOWN -> hidden;
      case GATE, UP -> intermediate;
    };
  }

  /** Width of all query heads together, Hq. */
  public long queryWidth() {
    return (long) heads * headSize;
  }

  /** Width of all key heads together, Hk. */
  public long keyWidth() {
    return (long) keyHeads * headSize;
  }

  /** The heads and the window of a layer's attention. */
  public AttentionShape attention(int layer) {
    return new AttentionShape(heads, keyHeads, headSize, windows.get(layer));
  }

  /** The module name of a linear layer, as PEFT sees it. */
  public String module(int layer, Projection projection) {
    return family.names().module(layer, projection);
  }

  /** The weights that a model folder must hold, by name. */
  public Map<String, Shape> weights() {
    WeightNames names = family.names();
    Map<String, Shape> weights = new LinkedHashMap<>();
    weights.put(names.embedding() + ".weight", Shape.of(vocabulary, hidden));
    for (int layer = 0; layer < layers; layer++) {
      weights.put(names.attentionNorm(layer) + ".weight", Shape.of(hidden));
      weights.put(names.mlpNorm(layer) + ".weight", Shape.of(hidden));
      for (Projection p : Projection.values()) {
        weights.put(module(layer, p) + ".weight", Shape.of(out(p), in(p)));
        if (biased.contains(p)) {
          weights.put(module(layer, p) + ".bias", Shape.of(out(p)));
        }
      }
    }
    weights.put(names.finalNorm() + ".weight", Shape.of(hidden));
    if (!tiedEmbeddings) {
      weights.put(names.head() + ".weight", Shape.of(vocabulary, hidden));
    }
    return weights;
  }

  /** The number of weights; a tied head counts once. */
  public long parameters() {
    return weights().values().stream().mapToLong(Shape::elements).sum();
  }
}
