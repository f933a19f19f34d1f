package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
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
  public boolean takesColumns(Value value, boolean adjoint) {
    return !value.equals(lse) && !(adjoint && value.equals(o));
  }

  @Override
  public void forward(ForwardPass pass) {
    pass.primal().allocate(o);
    pass.primal().allocate(lse);
    pass.backend()
        .run(new AttentionKernels.Forward(shape, packing, packing, kept(pass.primal())));
  }

  @Override
  public void tangent(TangentPass pass) {
    pass.tangent().allocate(o);
    pass.tangent().allocate(lse);
    pass.backend()
        .run(
            new AttentionKernels.Tangent(
                shape, packing, kept(pass.primal()), tangents(pass.tangent())));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gO = adjoint.get(o);
    Tensor delta = adjoint.allocate(lse);
    pass.backend()
        .run(
            new AttentionKernels.Backward(
                shape, packing, kept(pass.primal()), gO, delta, inputAdjoints(adjoint)));
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots adjointTangent = pass.adjointTangent();
    pass.backend()
        .run(
            new AttentionKernels.BackwardTangent(
                shape,
                packing,
                kept(pass.primal()),
                pass.adjoint().single(o),
                pass.adjoint().single(lse),
                tangents(pass.tangent()),
                adjointTangent.get(o),
                inputAdjoints(adjointTangent)));
  }

  private AttentionKernels.Primal kept(Slots primal) {
    return new AttentionKernels.Primal(
        primal.get(q), primal.get(k), primal.get(v), primal.get(o), primal.get(lse));
  }

  private AttentionKernels.Tangents tangents(Slots tangent) {
    return new AttentionKernels.Tangents(
        tangent.get(q), tangent.get(k), tangent.get(v), tangent.get(o), tangent.get(lse));
  }

  private AttentionKernels.InputAdjoints inputAdjoints(Slots adjoint) {
    return new AttentionKernels.InputAdjoints(
        adjoint.allocate(q), adjoint.allocate(k), adjoint.allocate(v));
  }
}
