package dev.lethe.backend.cuda.blas;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * C (m,n) = alpha·(A (m,k)·B (k,n) + A₂·B₂) + beta·C, the sizes after transposition.
 *
 * @param a of the same type as b, not transposed where b is: that would be the transpose of B·A
 * @param second A₂ and B₂, of the type and transposition of a and b; null: none
 * @param c F32, or the type of a; not transposed
 * @param batch products of this shape, at least 1
 */
public record Product(
    long m,
    long n,
    long k,
    double alpha,
    Operand a,
    Operand b,
    Term second,
    double beta,
    Operand c,
    long batch) {
  /** A product to be added: A₂ (m,k)·B₂ (k,n). */
  public record Term(long k, Operand a, Operand b) {}

  public Product {
    boolean sizes = m >= 0 && n >= 0 && k >= 0 && batch >= 1;
    boolean layout = !c.transposed() && !(a.transposed() && b.transposed());
    if (!sizes || !layout || a.type() != b.type()) {
      throw new ArgumentException(
          Text.format("product (%d,%d,%d) of %s and %s into %s, batch %d", m, n, k, a, b, c, batch));
    }
    if (second != null && !(second.a.isLike(a) && second.b.isLike(b))) {
      throw new ArgumentException(
          Text.format("a second term of %s and %s in a product of %s and %s", second.a, second.b, a, b));
    }
  }

  /** One product that overwrites C. */
  public static Product of(long m, long n, long k, double alpha, Operand a, Operand b, Operand c) {
    return new Product(m, n, k, alpha, a, b, null, 0, c, 1);
  }

  /** The same, added to C. */
  public Product added() {
    return new Product(m, n, k, alpha, a, b, second, 1, c, batch);
  }

  /** The same with another product added before alpha is applied. */
  public Product plus(long depth, Operand left, Operand right) {
    return new Product(m, n, k, alpha, a, b, new Term(depth, left, right), beta, c, batch);
  }

  /** This many of them, as the operands' batch strides say. */
  public Product batch(long count) {
    return new Product(m, n, k, alpha, a, b, second, beta, c, count);
  }

  /** The second term alone, for libraries that know one term only; the rest is {@link #rest}. */
  Product secondTerm() {
    return new Product(m, n, second.k, alpha, second.a, second.b, null, beta, c, batch);
  }

  /** The first term, added to what {@link #secondTerm} gave. */
  Product rest() {
    return new Product(m, n, k, alpha, a, b, null, 1, c, batch);
  }
}
