package dev.lethe.nn.family;

import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.format.huggingface.Rope;
import dev.lethe.tensor.Shape;
import java.util.Arrays;
import java.util.EnumSet;
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
 * @param rope the rotary positions; null: positions are learned
 * @param localRope those of layers with a window; null: the same
 * @param queryScalar attention's scale is its −½th power
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
    Rope localRope,
    double queryScalar,
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
      case QUERY, KEY, VALUE, QUERY_KEY_VALUE, GATE, UP, GATE_UP -> hidden;
      case OUTPUT -> queryWidth();
      case DOWN -> intermediate;
    };
  }

  /** Width of what a linear layer gives. */
  public long out(Projection projection) {
    return switch (projection) {
      case QUERY -> queryWidth();
      case KEY, VALUE -> keyWidth();
      case QUERY_KEY_VALUE -> queryWidth() + 2 * keyWidth();
      case OUTPUT, DOWN -> hidden;
      case GATE, UP -> intermediate;
      case GATE_UP -> 2 * intermediate;
    };
  }

  /** The linear layers of a decoder layer, in their order. */
  public Set<Projection> projections() {
    return EnumSet.copyOf(family.names().projections().keySet());
  }

  /** Whether a decoder layer has this linear layer. */
  public boolean has(Projection projection) {
    return family.names().projections().containsKey(projection);
  }

  /** Width of all query heads together, Hq. */
  public long queryWidth() {
    return (long) heads * headSize;
  }

  /** Width of all key heads together, Hk. */
  public long keyWidth() {
    return (long) keyHeads * headSize;
  }

  /** The rotary positions of a layer. */
  public Rope rope(int layer) {
    return localRope != null && windows.get(layer) > 0 ? localRope : rope;
  }

  /** By which embeddings are multiplied. */
  public double embeddingScale() {
    return family.traits().contains(ModelFamily.Trait.SCALED_EMBEDDING) ? Math.sqrt(hidden) : 1;
  }

  /** Whether layers read a norm of the residual stream, and not the stream itself. */
  public boolean normsInputs() {
    return family.names().norms().containsKey(Norm.BEFORE_ATTENTION);
  }

  /** The norms of a layer. */
  public List<Norm> norms() {
    return Arrays.stream(Norm.values()).filter(family.names().norms()::containsKey).toList();
  }

  /** How many numbers a norm is taken over. */
  public long width(Norm norm) {
    boolean eachHead = family.traits().contains(ModelFamily.Trait.NORMS_OF_EACH_HEAD);
    return switch (norm) {
      case QUERY -> eachHead ? headSize : queryWidth();
      case KEY -> eachHead ? headSize : keyWidth();
      default -> hidden;
    };
  }

  /**
   * By which a norm's weight is multiplied. Attention's scale is 1/√headSize; the norm of queries makes of
   * it what the configuration wants.
   */
  public double gain(Norm norm) {
    return norm == Norm.QUERY ? Math.sqrt(headSize / queryScalar) : 1;
  }

  /** The heads and the window of a layer's attention. */
  public AttentionShape attention(int layer) {
    return new AttentionShape(heads, keyHeads, headSize, windows.get(layer));
  }

  /** The module name of a linear layer, as PEFT sees it. */
  public String module(int layer, Projection projection) {
    return family.names().module(layer, projection);
  }

  /** The last parts of the linear layers' module names, in their order; equal ones once. */
  public List<String> linearNames() {
    return projections().stream()
        .map(family.names().projections()::get)
        .map(name -> name.substring(name.lastIndexOf('.') + 1))
        .distinct()
        .toList();
  }

  /** The weights that a model folder must hold, by name. */
  public Map<String, Shape> weights() {
    WeightNames names = family.names();
    Map<String, Shape> weights = new LinkedHashMap<>();
    weights.put(names.embedding() + ".weight", Shape.of(vocabulary, hidden));
    if (names.positions() != null) {
      weights.put(names.positions() + ".weight", Shape.of(maxPositions, hidden));
    }
    for (int layer = 0; layer < layers; layer++) {
      for (Norm norm : norms()) {
        putNorm(weights, names.module(layer, norm), width(norm));
      }
      for (Projection p : projections()) {
        boolean turned = family.traits().contains(ModelFamily.Trait.TRANSPOSED_WEIGHTS);
        Shape shape = turned ? Shape.of(in(p), out(p)) : Shape.of(out(p), in(p));
        weights.put(module(layer, p) + ".weight", shape);
        if (biased.contains(p)) {
          weights.put(module(layer, p) + ".bias", Shape.of(out(p)));
        }
      }
    }
    putNorm(weights, names.finalNorm(), hidden);
    if (!tiedEmbeddings) {
      weights.put(names.head() + ".weight", Shape.of(vocabulary, hidden));
    }
    return weights;
  }

  private void putNorm(Map<String, Shape> weights, String module, long width) {
    weights.put(module + ".weight", Shape.of(width));
    if (family.traits().contains(ModelFamily.Trait.LAYER_NORMS)) {
      weights.put(module + ".bias", Shape.of(width));
    }
  }

  /** The number of weights; a tied head counts once. */
  public long parameters() {
    return weights().values().stream().mapToLong(Shape::elements).sum();
  }
}
