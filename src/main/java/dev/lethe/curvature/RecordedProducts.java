package dev.lethe.curvature;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelRecording;
import dev.lethe.curvature.sum.BlockSums;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/**
 * Products that are taken again and again at kept linearizations, on a backend that records. A recording works
 * on fixed tensors, so each number of vectors k has a pair of its own, which callers' vectors are copied to and
 * from; a recording belongs to a batch, a k and a scale.
 */
final class RecordedProducts implements AutoCloseable {
  private final Backend backend;
  private final String name;
  private final long parameters;
  private final Scope scope;
  private final Map<Long, Vectors> vectors = new HashMap<>();
  private final Map<Key, KernelRecording> recordings = new HashMap<>();
  private final Map<Shape, BlockSums> sums = new HashMap<>();

  private record Key(int batch, long k, double scale) {}

  /**
   * What recordings read and write.
   *
   * @param v directions (k,P)
   * @param out sum of products (k,P)
   */
  record Vectors(Tensor v, Tensor out) {}

  /** Adds scale times a product with the directions v (k,P) to out (k,P). */
  @FunctionalInterface
  interface Product {
    void add(Tensor v, double scale, Tensor out);
  }

  /**
   * @param name of the product, for messages
   * @param parameters P
   */
  RecordedProducts(Backend backend, String name, long parameters) {
    this.backend = backend;
    this.name = name;
    this.parameters = parameters;
    this.scope = backend.openScope("recorded products");
  }

  /** The tensors of k vectors, v a copy of the given (k,P); the sum is whatever it was. */
  Vectors load(Tensor v) {
    Vectors fixed = vectors.computeIfAbsent(v.dim(0), k -> new Vectors(allocate(k), allocate(k)));
    backend.vectors().copy(v, fixed.v);
    return fixed;
  }

  /** Adds a batch's product to the sum: by its recording, which is made of the given work. */
  void add(int batch, Vectors at, double scale, Product work) {
    recordings
        .computeIfAbsent(
            new Key(batch, at.v.dim(0), scale),
            key ->
                backend.record(
                    Text.format("%s, batch %d", name, batch),
                    () -> work.add(at.v, scale, at.out)))
        .replay();
  }

  /** Where products of this shape are added, kept so that a repeated product allocates nothing. */
  BlockSums sums(Shape shape) {
    return sums.computeIfAbsent(shape, each -> new BlockSums(backend, each, 0));
  }

  private Tensor allocate(long k) {
    return scope.allocate(backend.vectorType(), k, parameters);
  }

  @Override
  public void close() {
    recordings.values().forEach(KernelRecording::close);
    recordings.clear();
    sums.values().forEach(BlockSums::close);
    sums.clear();
    scope.close();
  }
}
