package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
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
   * O and L. Queries may be fewer than keys (decoding with a cache): the last query of a sequence stands
   * at its last key.
   */
  void forward(Forward call);

  /** Ṡ = c(Q̇Kᵀ + QK̇ᵀ), μ = rowsum(P∘Ṡ), Ȯ = (P∘Ṡ)V + PV̇ − μO. */
  void tangent(Tangent call);

  /** D = rowsum(Ō∘O), P̄ = ŌVᵀ, S̄ = P∘(P̄ − D), Q̄ = cS̄K, K̄ = cS̄ᵀQ, V̄ = PᵀŌ. */
  void backward(Backward call);

  /**
   * The derivative of {@link #backward}: Ḋ = rowsum(Ō̇∘O + Ō∘Ȯ), Ṗ = P∘(Ṡ − μ), S̄̇ = Ṗ∘(P̄ − D) +
   * P∘(Ō̇Vᵀ + ŌV̇ᵀ − Ḋ), Q̄̇ = c(S̄̇K + S̄K̇), K̄̇ = c(S̄̇ᵀQ + S̄ᵀQ̇), V̄̇ = ṖᵀŌ + PᵀŌ̇.
   */
  void backwardTangent(BackwardTangent call);

  /** q (N,Hq), k (N,Hk), v (N,Hk), o (N,Hq), lse L (heads,N). */
  record Primal(Tensor q, Tensor k, Tensor v, Tensor o, Tensor lse) {
    /** Checks the shapes; returns N. */
    private long require(Arguments check, AttentionShape shape, Packing packing) {
      long n = packing.rows();
      check.columns("q", q, n, shape.queryWidth());
      check.columns("k", k, n, shape.keyWidth());
      check.columns("v", v, n, shape.keyWidth());
      check.columns("o", o, n, shape.queryWidth());
      check.vector("lse", lse, shape.heads(), n);
      return n;
    }
  }

  /** q̇ (k,N,Hq) or null, k̇ (k,N,Hk) or null, v̇ (k,N,Hk) or null, Ȯ (k,N,Hq), μ (k,heads,N). */
  record Tangents(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor mu) {
    private void require(Arguments check, AttentionShape shape, long k, long n) {
      check.columnsOrNull("dq", dq, k, n, shape.queryWidth());
      check.columnsOrNull("dk", dk, k, n, shape.keyWidth());
      check.columnsOrNull("dv", dv, k, n, shape.keyWidth());
      check.columns("dO", dO, k, n, shape.queryWidth());
      check.vector("mu", mu, k, shape.heads(), n);
    }
  }

  /** Where Q̄ (k,N,Hq), K̄ (k,N,Hk) and V̄ (k,N,Hk) go, or their tangents. */
  record InputAdjoints(Tensor gq, Tensor gk, Tensor gv) {
    private void require(Arguments check, AttentionShape shape, long k, long n) {
      check.columns("adjoint of q", gq, k, n, shape.queryWidth());
      check.columns("adjoint of k", gk, k, n, shape.keyWidth());
      check.columns("adjoint of v", gv, k, n, shape.keyWidth());
    }
  }

  /**
   * @param queries packing of q and o, Nq rows
   * @param keys packing of k and v, Nk rows; sequence lengths at least those of queries
   * @param p o and lse out; lse may be null; k and v may have more rows than their packing, which are
   *     ignored
   */
  record Forward(AttentionShape shape, Packing queries, Packing keys, Primal p)
      implements KernelCall {
    @Override
    public String name() {
      return "attention.forward";
    }

    @Override
    public void require(Arguments check) {
      long n = queries.rows();
      check.columns("q", p.q, n, shape.queryWidth());
      check.columns("o", p.o, n, shape.queryWidth());
      check.vectorOrNull("lse", p.lse, shape.heads(), n);
      requireKeys(check, "k", p.k);
      requireKeys(check, "v", p.v);
      check.that(keys.count() == queries.count(), "keys", queries.count() + " sequences", keys);
      for (int i = 0; i < queries.count(); i++) {
        if (keys.length(i) < queries.length(i)) {
          check.that(
              false, "keys of sequence " + i, "at least " + queries.length(i), keys.length(i));
        }
      }
    }

    private void requireKeys(Arguments check, String what, Tensor x) {
      check.rank(what, x, 2);
      check.columns(what, x, Math.max(keys.rows(), x.dim(0)), shape.keyWidth());
    }

    @Override
    public KernelCost cost(DType weights) {
      double products = 2; // QKᵀ, PV
      return KernelCost.of(products * shape.flops(queries, keys), p.q, p.k, p.v, p.o, p.lse);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.attention().forward(this);
    }
  }

  /**
   * @param p the primal values
   * @param t Ȯ and μ out
   */
  record Tangent(AttentionShape shape, Packing packing, Primal p, Tangents t)
      implements KernelCall {
    @Override
    public String name() {
      return "attention.tangent";
    }

    @Override
    public void require(Arguments check) {
      long n = p.require(check, shape, packing);
      check.rank("dO", t.dO, 3);
      t.require(check, shape, t.dO.dim(0), n);
    }

    @Override
    public KernelCost cost(DType weights) {
      // QKᵀ; for each direction (P∘Ṡ)V and one for each tangent that there is
      double products = 1 + t.dO.dim(0) * (1 + count(t.dq, 1) + count(t.dk, 1) + count(t.dv, 1));
      return KernelCost.of(
          products * shape.flops(packing, packing),
          p.q,
          p.k,
          p.v,
          p.o,
          p.lse,
          t.dq,
          t.dk,
          t.dv,
          t.dO,
          t.mu);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.attention().tangent(this);
    }
  }

  /**
   * @param gO Ō (k,N,Hq)
   * @param delta D (k,heads,N) out
   * @param in where Q̄, K̄ and V̄ go
   */
  record Backward(
      AttentionShape shape, Packing packing, Primal p, Tensor gO, Tensor delta, InputAdjoints in)
      implements KernelCall {
    @Override
    public String name() {
      return "attention.backward";
    }

    @Override
    public void require(Arguments check) {
      long n = p.require(check, shape, packing);
      check.rank("gO", gO, 3);
      long k = gO.dim(0);
      check.activation("gO", gO, k, n, shape.queryWidth());
      check.vector("delta", delta, k, shape.heads(), n);
      in.require(check, shape, k, n);
    }

    @Override
    public KernelCost cost(DType weights) {
      double products = 1 + 4 * (double) gO.dim(0); // QKᵀ; ŌVᵀ, S̄K, S̄ᵀQ, PᵀŌ
      return KernelCost.of(
          products * shape.flops(packing, packing),
          p.q,
          p.k,
          p.v,
          p.o,
          p.lse,
          gO,
          delta,
          in.gq,
          in.gk,
          in.gv);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.attention().backward(this);
    }
  }

  /**
   * @param gO primal Ō (N,Hq)
   * @param delta primal D (heads,N)
   * @param t the tangents, as {@link #tangent} took and gave them
   * @param dgO Ō̇ (k,N,Hq) or null
   * @param in where Q̄̇, K̄̇ and V̄̇ go
   */
  record BackwardTangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tangents t,
      Tensor dgO,
      InputAdjoints in)
      implements KernelCall {
    @Override
    public String name() {
      return "attention.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      long n = p.require(check, shape, packing);
      check.rank("adjoint of q", in.gq, 3);
      long k = in.gq.dim(0);
      in.require(check, shape, k, n);
      check.activation("gO", gO, n, shape.queryWidth());
      check.vector("delta", delta, shape.heads(), n);
      t.require(check, shape, k, n);
      check.activationOrNull("dgO", dgO, k, n, shape.queryWidth());
    }

    @Override
    public KernelCost cost(DType weights) {
      // QKᵀ and ŌVᵀ; for each direction S̄̇K, S̄̇ᵀQ, ṖᵀŌ, two for each of q̇, k̇ and ō̇, one for v̇
      double each = 3 + count(t.dq, 2) + count(t.dk, 2) + count(t.dv, 1) + count(dgO, 2);
      return KernelCost.of(
          (2 + in.gq.dim(0) * each) * shape.flops(packing, packing),
          p.q,
          p.k,
          p.v,
          p.o,
          p.lse,
          gO,
          delta,
          t.dq,
          t.dk,
          t.dv,
          t.dO,
          t.mu,
          dgO,
          in.gq,
          in.gk,
          in.gv);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.attention().backwardTangent(this);
    }
  }

  private static int count(Tensor tangent, int products) {
    return tangent == null ? 0 : products;
  }
}
