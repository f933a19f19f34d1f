package dev.lethe.format.gguf;

import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * The order of a head's rows in weights of queries and keys. Hugging Face folders have the two halves of all rotary
 * pairs one after the other; llama.cpp has each pair together, for the families whose positions turn neighbours. A
 * packed row is moved as it is.
 */
final class RotaryRows {
  private RotaryRows() {}

  /** Rows in pairs become rows in halves. */
  static Tensor toHalves(Tensor pairs, int heads) {
    return moved(pairs, heads, true);
  }

  /** Rows in halves become rows in pairs. */
  static Tensor toPairs(Tensor halves, int heads) {
    return moved(halves, heads, false);
  }

  /** A copy on the Java heap. */
  private static Tensor moved(Tensor from, int heads, boolean toHalves) {
    int rows = Math.toIntExact(from.dim(0));
    int head = rows / heads;
    long rowBytes = from.byteSize() / rows;
    MemorySegment source = from.segment();
    MemorySegment copy = MemorySegment.ofArray(new byte[Math.toIntExact(from.byteSize())]);
    for (int h = 0; h < heads; h++) {
      for (int pair = 0; pair < head / 2; pair++) {
        for (int half = 0; half < 2; half++) {
          long inPairs = (long) h * head + 2L * pair + half;
          long inHalves = (long) h * head + (long) half * (head / 2) + pair;
          long read = toHalves ? inPairs : inHalves;
          long written = toHalves ? inHalves : inPairs;
          MemorySegment.copy(source, read * rowBytes, copy, written * rowBytes, rowBytes);
        }
      }
    }
    return Tensor.view(copy, from.dtype(), Shape.of(from.shape().toArray()));
  }
}
