package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * h = silu(a)∘b with silu(a) = a·σ(a). With σ = σ(a): f = aσ, f′ = σ(1 + a(1−σ)), f″ = σ(1−σ)(2 + a(1−2σ)).
 * Shazeer, arXiv 2002.05202.
 */
public interface SwiGluKernels {
  /** a, b (N,F); h (N,F) out. */
  void forward(Tensor a, Tensor b, Tensor h);

  /** ḣ = f′ȧb + fḃ. da, db (k,N,F) or null; dh (k,N,F) out. */
  void tangent(Tensor a, Tensor b, Tensor da, Tensor db, Tensor dh);

  /** ā = h̄bf′, b̄ = h̄f. gh (k,N,F); ga, gb (k,N,F) out. */
  void backward(Tensor a, Tensor b, Tensor gh, Tensor ga, Tensor gb);

  /**
   * ā̇ = h̄̇bf′ + h̄ḃf′ + h̄bf″ȧ, b̄̇ = h̄̇f + h̄f′ȧ. gh primal (N,F); da, db, dgh (k,N,F) or null; dga, dgb
   * (k,N,F) out.
   */
  void backwardTangent(
      Tensor a, Tensor b, Tensor gh, Tensor da, Tensor db, Tensor dgh, Tensor dga, Tensor dgb);
}
