package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.DEPTH_PARTS;
import static dev.lethe.bench.predict.H200.MEMORY;
import static dev.lethe.bench.predict.H200.MULTIPROCESSORS;
import static dev.lethe.bench.predict.H200.SKINNY_SHARE;
import static dev.lethe.bench.predict.H200.STREAM_SHARE;
import static dev.lethe.bench.predict.H200.TENSOR_LAYER_SHARE;
import static dev.lethe.bench.predict.H200.TENSOR_PEAK;
import static dev.lethe.bench.predict.H200.TILE_ROWS;

/** Matrix products by cuBLAS, of bfloat16 unless said otherwise. */
final class ProductWork {
  private static final int BF16 = 2;
  private static final int F32 = 4;

  /** Fewer rows, columns or depth than this make a product wait for memory. */
  private static final int SKINNY = 96;

  private ProductWork() {}

  /** C (m,n) = A (m,k)·B (k,n), C written. */
  static KernelWork of(String name, double m, double n, double k) {
    return of(name, m, n, k, BF16 * (m * k + k * n + m * n));
  }

  /** The same, added to C. */
  static KernelWork added(String name, double m, double n, double k) {
    return of(name, m, n, k, BF16 * (m * k + k * n + 2 * m * n));
  }

  /** C in float32, added to. */
  static KernelWork gradient(String name, double m, double n, double k) {
    return of(name, m, n, k, BF16 * (m * k + k * n) + 2.0 * F32 * m * n);
  }

  private static KernelWork of(String name, double m, double n, double k, double bytes) {
    boolean skinny = Math.min(Math.min(m, n), k) <= SKINNY;
    double memory = bytes / (MEMORY.value() * (skinny ? SKINNY_SHARE : STREAM_SHARE).value());
    double rate = TENSOR_PEAK.value() * TENSOR_LAYER_SHARE.value() * filled(m, n);
    return new KernelWork(name, 1, bytes, memory, skinny ? 0 : 2 * m * n * k / rate, 0, 0);
  }

  /** The share of multiprocessors that have a tile, over the waves of tiles. */
  private static double filled(double m, double n) {
    double tiles = Math.ceil(m / TILE_ROWS.value()) * Math.ceil(n / TILE_ROWS.value());
    double all = MULTIPROCESSORS.value();
    if (tiles < all) {
      return Math.min(1, tiles * DEPTH_PARTS.value() / all);
    }
    return tiles / (Math.ceil(tiles / all) * all);
  }
}
