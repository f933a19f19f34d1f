package dev.lethe.backend.kernel.operand;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * The heads of a causal attention with grouped queries: query head j reads key head j·keyHeads/heads.
 * The scale on scores is 1/√headSize.
 *
 * @param window a query sees itself and the {@code window-1} keys before it; 0: all before it
 */
public record AttentionShape(int heads, int keyHeads, int headSize, int window) {
  public AttentionShape {
    if (heads <= 0 || keyHeads <= 0 || headSize <= 0 || heads % keyHeads != 0 || window < 0) {
      throw new ArgumentException(
          Text.format(
              "attention of %d heads, %d key heads of size %d, window %d",
              heads, keyHeads, headSize, window));
    }
  }

  public double scale() {
    return 1 / Math.sqrt(headSize);
  }

  /** Query heads that share one key head. */
  public int group() {
    return heads / keyHeads;
  }

  /** The first key that a query sees, both counted within their sequence. */
  public int firstKey(int query) {
    return window == 0 ? 0 : Math.max(0, query - window + 1);
  }

  public long queryWidth() {
    return (long) heads * headSize;
  }

  public long keyWidth() {
    return (long) keyHeads * headSize;
  }

  /** Operations of one product over all pairs of a query and a key that it sees. */
  public double flops(Packing queries, Packing keys) {
    double pairs = 0;
    for (int i = 0; i < queries.count(); i++) {
      int before = keys.length(i) - queries.length(i);
      for (int query = before; query < keys.length(i); query++) {
        pairs += query - firstKey(query) + 1.0;
      }
    }
    return 2 * pairs * queryWidth();
  }
}
