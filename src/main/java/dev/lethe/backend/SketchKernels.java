package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Products with a sketch F of a curvature, C ≈ FᵀF: N rows of P numbers each, one a sampled gradient. Rows
 * are BF16 or in {@link Backend#vectorType}; everything else is in the vector type. Each call reads F from
 * memory once where the backend can, for all k directions together; F may be a mapped file on backends in
 * host memory. What several parts of F give adds up, so that a long sketch can pass in parts.
 */
public interface SketchKernels {
  /**
   * dots[j][i] = ⟨rows[i], v[j]⟩.
   *
   * @param rows (N,P)
   * @param v (k,P)
   * @param dots (k,N) out
   */
  void dots(Tensor rows, Tensor v, Tensor dots);

  /**
   * Adds scale·Σᵢ weights[j][i]·rows[i] to out[j].
   *
   * @param weights (k,N)
   * @param rows (N,P)
   * @param out (k,P), added to
   */
  void addCombination(Tensor weights, double scale, Tensor rows, Tensor out);

  /**
   * Adds scale·Σᵢ rows[i]·⟨rows[i], v[j]⟩ to out[j]. Gives the bytes of {@link #dots} followed by {@link
   * #addCombination}.
   *
   * @param rows (N,P)
   * @param v (k,P)
   * @param out (k,P), added to; not v
   */
  void addProduct(Tensor rows, Tensor v, double scale, Tensor out);
}
