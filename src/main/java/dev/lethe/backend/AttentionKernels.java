package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Causal softmax attention O = softmax(cQKᵀ)V over packed sequences, in four modes, none of which holds
 * a T×T array beyond one tile. Only O and the row log-sum-exp are kept; P is rebuilt as exp(S − L). Dao,
 * arXiv 2307.08691, for the first two modes; the tangent modes are derived in docs/mathematics.md.
 *
 * <p>Hq = heads·headSize, Hk = keyHeads·headSize; row statistics are (heads,N).
 */
public interface AttentionKernels {
  /**
   * Queries may be fewer than keys (decoding with a cache): the last query of a sequence stands at its
   * last key.
   *
   * @param queries packing of q and o, Nq rows
   * @param keys packing of k and v, Nk rows; sequence lengths at least those of queries
   * @param q (Nq,Hq)
   * @param k (Nk,Hk), rows beyond the packing's are ignored
   * @param v (Nk,Hk), likewise
   * @param o (Nq,Hq) out
   * @param lse L (heads,Nq) out, or null
   */
  void forward(
      AttentionShape shape,
      Packing queries,
      Packing keys,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor o,
      Tensor lse);

  /**
   * Ṡ = c(Q̇Kᵀ + QK̇ᵀ), μ = rowsum(P∘Ṡ), Ȯ = (P∘Ṡ)V + PV̇ − μO.
   *
   * @param p the primal values
   * @param dq (k,N,Hq) or null
   * @param dk (k,N,Hk) or null
   * @param dv (k,N,Hk) or null
   * @param dO Ȯ (k,N,Hq) out
   * @param mu μ (k,heads,N) out
   */
  void tangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor dq,
      Tensor dk,
      Tensor dv,
      Tensor dO,
      Tensor mu);

  /**
   * D = rowsum(Ō∘O), P̄ = ŌVᵀ, S̄ = P∘(P̄ − D), Q̄ = cS̄K, K̄ = cS̄ᵀQ, V̄ = PᵀŌ.
   *
   * @param gO Ō (k,N,Hq)
   * @param delta D (k,heads,N) out
   * @param gq (k,N,Hq) out
   * @param gk (k,N,Hk) out
   * @param gv (k,N,Hk) out
   */
  void backward(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tensor gq,
      Tensor gk,
      Tensor gv);

  /**
   * The derivative of {@link #backward}: Ḋ = rowsum(Ō̇∘O + Ō∘Ȯ), Ṗ = P∘(Ṡ − μ), S̄̇ = Ṗ∘(P̄ − D) +
   * P∘(Ō̇Vᵀ + ŌV̇ᵀ − Ḋ), Q̄̇ = c(S̄̇K + S̄K̇), K̄̇ = c(S̄̇ᵀQ + S̄ᵀQ̇), V̄̇ = ṖᵀŌ + PᵀŌ̇.
   *
   * @param gO primal Ō (N,Hq)
   * @param delta primal D (heads,N)
   * @param t the tangents, as {@link #tangent} took and gave them
   * @param dgO Ō̇ (k,N,Hq) or null
   * @param dgq (k,N,Hq) out
   * @param dgk (k,N,Hk) out
   * @param dgv (k,N,Hk) out
   */
  void backwardTangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tangent t,
      Tensor dgO,
      Tensor dgq,
      Tensor dgk,
      Tensor dgv);

  /** q (N,Hq), k (N,Hk), v (N,Hk), o (N,Hq), lse (heads,N). */
  record Primal(Tensor q, Tensor k, Tensor v, Tensor o, Tensor lse) {}

  /** q̇ (k,N,Hq) or null, k̇ (k,N,Hk) or null, v̇ (k,N,Hk) or null, Ȯ (k,N,Hq), μ (k,heads,N). */
  record Tangent(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor mu) {}
}
