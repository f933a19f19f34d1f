package dev.lethe.backend.cuda.gemm;

import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.tensor.DType;

/** What a block makes of a product's result, as in kernels/gemm_bf16.cuh and gemm_f32.cuh; GemmTileTest compares. */
public enum GemmTile {
  /** For large products; in bfloat16 only. */
  WIDE(128, 128, 3),
  SQUARE(64, 64, 3),
  /** For few rows. */
  FLAT(32, 128, 5),
  /** For few columns. */
  TALL(128, 32, 5);

  /** What a tile covers of the depth at a time. */
  static final int DEPTH = 32;

  private static final int PAD = 8;

  private final int rows;
  private final int columns;
  private final int buffers;

  GemmTile(int rows, int columns, int buffers) {
    this.rows = rows;
    this.columns = columns;
    this.buffers = buffers;
  }

  /** The tile for a product on a device of so many multiprocessors. */
  static GemmTile of(Product p, int multiprocessors) {
    if (p.m() <= FLAT.rows && p.n() > FLAT.rows) {
      return FLAT;
    }
    if (p.n() <= TALL.columns && p.m() > TALL.columns) {
      return TALL;
    }
    boolean large = WIDE.count(p.m(), p.n()) * p.batch() >= multiprocessors;
    return large && p.a().type() == DType.BF16 ? WIDE : SQUARE;
  }

  /** Tiles of a matrix (m,n). */
  public long count(long m, long n) {
    return Math.ceilDiv(m, rows) * Math.ceilDiv(n, columns);
  }

  /** Threads of a block. */
  public int threads(DType type) {
    return type == DType.F32 || this == WIDE ? 256 : 128;
  }

  /** Dynamic shared memory of a block; float32 needs none. */
  public int sharedBytes(DType type, boolean transposedA, boolean transposedB) {
    if (type == DType.F32) {
      return 0;
    }
    int a = transposedA ? DEPTH * (rows + PAD) : rows * (DEPTH + PAD);
    int b = transposedB ? columns * (DEPTH + PAD) : DEPTH * (columns + PAD);
    return buffers * (a + b) * type.bytes();
  }
}
