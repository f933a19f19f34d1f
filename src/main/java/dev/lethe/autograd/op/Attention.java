package dev.lethe.autograd.op;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.AttentionShape;
import dev.lethe.backend.Packing;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * Causal attention within each sequence: O = PV, P = softmax(S), S = c QKᵀ. P is rebuilt tile by tile from the row
 * log-sum-exp L and never kept. ∘ is elementwise, μ and D are sums over rows of keys:
 *
 * <pre>
 *   Ṡ = c(Q̇Kᵀ + QK̇ᵀ),  μ = Σ P∘Ṡ,  Ȯ = (P∘Ṡ)V + PV̇ − μO
 *   D = Σ Ō∘O,  P̄ = ŌVᵀ,  S̄ = P∘(P̄ − D),  Q̄ = cS̄K,  K̄ = cS̄ᵀQ,  V̄ = PᵀŌ
 *   Ḋ = Σ (Ō̇∘O + Ō∘Ȯ),  Ṗ = P∘(Ṡ − μ),  S̄̇ = Ṗ∘(P̄ − D) + P∘(Ō̇Vᵀ + ŌV̇ᵀ − Ḋ)
 *   Q̄̇ = c(S̄̇K + S̄K̇),  K̄̇ = c(S̄̇ᵀQ + S̄ᵀQ̇),  V̄̇ = ṖᵀŌ + PᵀŌ̇
 * </pre>
 *
 * <p>Dao, arXiv 2307.08691, for forward and backward; the tangent rules are derived in docs/mathematics.md.
 *
 * @param lse L (heads,N); its tangent is μ, its adjoint D
 */
public record Attention(
    AttentionShape shape, Packing packing, Value q, Value k, Value v, Value o, Value lse)
    implements Op {
  /** q (N,Hq), k and v (N,Hk); gives (N,Hq). */
  public static Value on(Recorder tape, AttentionShape shape, Value q, Value k, Value v) {
    boolean active = q.active() || k.active() || v.active();
    Value o = tape.activation(q.rows(), q.width(), active);
    Value lse = tape.statistic(shape.heads(), q.rows(), active);
    return tape.record(new Attention(shape, tape.packing(), q, k, v, o, lse)).o;
  }

  @Override
  public List<Value> inputs() {
    return List.of(q, k, v);
  }

  @Override
  public List<Value> outputs() {
    return List.of(o, lse);
  }

  @Override
  public List<Value> saved() {
    return List.of(q, k, v, o, lse);
  }

  @Override
  public List<Value> savedAdjoints() {
    return List.of(o, lse);
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    Tensor out = primal.allocate(o);
    Tensor sums = primal.allocate(lse);
    pass.backend()
        .attention()
        .forward(
            shape, packing, packing, primal.get(q), primal.get(k), primal.get(v), out, sums);
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots tangent = pass.tangent();
    Tensor dq = tangent.get(q);
    Tensor dk = tangent.get(k);
    Tensor dv = tangent.get(v);
    Tensor out = tangent.allocate(o);
    Tensor mu = tangent.allocate(lse);
    pass.backend()
        .attention()
        .tangent(shape, packing, primal(pass.primal()), dq, dk, dv, out, mu);
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gO = adjoint.get(o);
    Tensor delta = adjoint.allocate(lse);
    Tensor gq = adjoint.allocate(q);
    Tensor gk = adjoint.allocate(k);
    Tensor gv = adjoint.allocate(v);
    pass.backend()
        .attention()
        .backward(shape, packing, primal(pass.primal()), gO, delta, gq, gk, gv);
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots tangent = pass.tangent();
    Slots adjoint = pass.adjoint();
    Slots adjointTangent = pass.adjointTangent();
    AttentionKernels.Tangent tangents =
        new AttentionKernels.Tangent(
            tangent.get(q), tangent.get(k), tangent.get(v), tangent.get(o), tangent.get(lse));
    pass.backend()
        .attention()
        .backwardTangent(
            shape,
            packing,
            primal(pass.primal()),
            adjoint.single(o),
            adjoint.single(lse),
            tangents,
            adjointTangent.get(o),
            adjointTangent.allocate(q),
            adjointTangent.allocate(k),
            adjointTangent.allocate(v));
  }

  private AttentionKernels.Primal primal(Slots slots) {
    return new AttentionKernels.Primal(
        slots.get(q), slots.get(k), slots.get(v), slots.get(o), slots.get(lse));
  }
}
