package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Residual add and root-mean-square norm in one pass: s = x + f, r = (mean s² + ε)^-½, y = w∘(s·r).
 * Without f, s is x itself. Zhang and Sennrich, arXiv 1910.07467.
 */
public interface RmsNormKernels {
  /**
   * @param w frozen weight (D)
   * @param x (N,D)
   * @param f (N,D), or null: no residual, then s must be null
   * @param s (N,D) out: the sum
   * @param y (N,D) out: the normed sum
   * @param r (N) out: reciprocal root mean squares
   */
  void forward(Tensor w, double epsilon, Tensor x, Tensor f, Tensor s, Tensor y, Tensor r);

  /**
   * ṡ = ẋ + ḟ, ṙ = −r³ mean(s∘ṡ), ẏ = w∘(ṡr + sṙ).
   *
   * @param s primal sum (N,D)
   * @param r (N)
   * @param dx ẋ (k,N,D) or null
   * @param df ḟ (k,N,D) or null
   * @param ds ṡ (k,N,D) out; null where not wanted (then exactly one of dx, df is the sum itself)
   * @param dy ẏ (k,N,D) out
   */
  void tangent(Tensor w, Tensor s, Tensor r, Tensor dx, Tensor df, Tensor ds, Tensor dy);

  /**
   * x̄ = f̄ = s̄ + norm-backward(ȳ); with g = w∘ȳ, c = mean(s∘g): rg − s r³ c.
   *
   * @param gs s̄ (k,N,D) or null
   * @param gy ȳ (k,N,D)
   * @param gx x̄ = f̄ (k,N,D) out; may be the same tensor as gs
   */
  void backward(Tensor w, Tensor s, Tensor r, Tensor gs, Tensor gy, Tensor gx);

  /**
   * The derivative of {@link #backward} along (ṡ, s̄̇, ȳ̇).
   *
   * @param gy primal ȳ (N,D)
   * @param ds ṡ (k,N,D)
   * @param dgs s̄̇ (k,N,D) or null
   * @param dgy ȳ̇ (k,N,D)
   * @param dgx x̄̇ = f̄̇ (k,N,D) out; may be the same tensor as dgs
   */
  void backwardTangent(
      Tensor w, Tensor s, Tensor r, Tensor gy, Tensor ds, Tensor dgs, Tensor dgy, Tensor dgx);
}
