package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** The keys (rotated) and values of one sequence's past tokens, for every layer. */
final class KeyValueCache implements AutoCloseable {
  private final Scope scope;
  private final List<Tensor> keys = new ArrayList<>();
  private final List<Tensor> values = new ArrayList<>();
  private final int capacity;
  private int length;

  /**
   * @param capacity the most tokens it will hold
   */
  KeyValueCache(LanguageModel model, int capacity) {
    Backend backend = model.backend();
    TransformerSpec spec = model.spec();
    if (capacity > spec.maxPositions()) {
      throw AdaptedModel.tooLong(spec, "sequence", capacity);
    }
    this.capacity = capacity;
    this.scope = backend.openScope("key-value cache");
    for (int layer = 0; layer < spec.layers(); layer++) {
      keys.add(scope.allocate(backend.activationType(), capacity, spec.keyWidth()));
      values.add(scope.allocate(backend.activationType(), capacity, spec.keyWidth()));
    }
  }

  /** Tokens in the cache. */
  int length() {
    return length;
  }

  /** The most tokens it can hold. */
  int capacity() {
    return capacity;
  }

  /** (capacity,Hk), of which {@link #length} rows are filled. */
  Tensor keys(int layer) {
    return keys.get(layer);
  }

  /** (capacity,Hk), of which {@link #length} rows are filled. */
  Tensor values(int layer) {
    return values.get(layer);
  }

  /** Counts tokens whose keys and values have been written behind the others'. */
  void advance(int tokens) {
    length += tokens;
  }

  @Override
  public void close() {
    scope.close();
  }
}
