package dev.lethe.backend.cuda.blas;

/**
 * C (m,n) = alpha·A (m,k)·B (k,n) + beta·C, the sizes after transposition.
 *
 * @param a of the same type as b
 * @param c F32, or the type of a; not transposed
 * @param batch products of this shape, at least 1
 */
public record Product(
    long m, long n, long k, double alpha, Operand a, Operand b, double beta, Operand c, long batch) {
  public Product {
    if (m < 0 || n < 0 || k < 0 || batch < 1 || a.type() != b.type() || c.transposed()) {
      throw new IllegalArgumentException(
          "product (%d,%d,%d) of %s and %s into %s, batch %d".formatted(m, n, k, a, b, c, batch));
    }
  }

  /** One product that overwrites C. */
  public static Product of(long m, long n, long k, double alpha, Operand a, Operand b, Operand c) {
    return new Product(m, n, k, alpha, a, b, 0, c, 1);
  }

  /** The same, added to C. */
  public Product added() {
    return new Product(m, n, k, alpha, a, b, 1, c, batch);
  }

  /** This many of them, as the operands' batch strides say. */
  public Product batch(long count) {
    return new Product(m, n, k, alpha, a, b, beta, c, count);
  }
}
