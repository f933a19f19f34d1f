package dev.lethe.backend.cuda.blas;

import dev.lethe.tensor.DType;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * What the descriptors and the algorithm of a product depend on. One instance is filled again for each call
 * and looked up; only what is new is copied.
 */
final class MatmulShape {
  private static final int FIELDS = 16;

  /** Alignment beyond this helps no algorithm. */
  private static final long MOST_ALIGNMENT = 16;

  private final long[] fields;

  MatmulShape() {
    this(new long[FIELDS]);
  }

  private MatmulShape(long[] fields) {
    this.fields = fields;
  }

  MatmulShape copy() {
    return new MatmulShape(fields.clone());
  }

  /**
   * Column-major libraries see a row-major matrix transposed, so they compute Cᵀ (n,m) = Bᵀ·Aᵀ: their left
   * matrix is b, their right one a.
   */
  void set(Product p, long k, Operand a, Operand b, double beta) {
    fields[0] = p.m();
    fields[1] = p.n();
    fields[2] = k;
    fields[3] = p.batch();
    fields[4] = a.type() == DType.BF16 ? 1 : 0;
    fields[5] = p.c().type() == DType.BF16 ? 1 : 0;
    fields[6] = beta != 0 ? 1 : 0;
    operand(7, b, LibraryProducts.leadingB(p, k, b));
    operand(10, a, LibraryProducts.leadingA(p, k, a));
    operand(13, p.c(), LibraryProducts.leadingC(p));
  }

  private void operand(int at, Operand x, long leadingDimension) {
    fields[at] = leadingDimension << 1 | (x.transposed() ? 1 : 0);
    fields[at + 1] = x.batchStride();
    fields[at + 2] = Math.min(MOST_ALIGNMENT, Long.lowestOneBit(x.address()));
  }

  long m() {
    return fields[0];
  }

  long n() {
    return fields[1];
  }

  long k() {
    return fields[2];
  }

  int batch() {
    return (int) fields[3];
  }

  DType type() {
    return fields[4] == 1 ? DType.BF16 : DType.F32;
  }

  DType resultType() {
    return fields[5] == 1 ? DType.BF16 : DType.F32;
  }

  /** Whether C is read, beta not being 0. */
  boolean adds() {
    return fields[6] == 1;
  }

  Matrix left() {
    return new Matrix(7);
  }

  Matrix right() {
    return new Matrix(10);
  }

  Matrix result() {
    return new Matrix(13);
  }

  /** A matrix of the product as a column-major library sees it. */
  final class Matrix {
    private final int at;

    private Matrix(int at) {
      this.at = at;
    }

    long leadingDimension() {
      return fields[at] >> 1;
    }

    boolean transposed() {
      return (fields[at] & 1) == 1;
    }

    long batchStride() {
      return fields[at + 1];
    }

    /** Bytes, a power of two. */
    int alignment() {
      return (int) fields[at + 2];
    }
  }

  /** Multiplications and additions. */
  double operations() {
    return 2.0 * m() * n() * k() * batch();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof MatmulShape shape && Arrays.equals(fields, shape.fields);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(fields);
  }

  /** All of it, for files. */
  @Override
  public String toString() {
    return Arrays.stream(fields).mapToObj(Long::toString).collect(Collectors.joining(" "));
  }
}
