package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * The gated unit h = f(a)∘b, as in SwiGLU and GeGLU, or h = f(a) where there is no b. Every rule is elementwise:
 *
 * <pre>
 *   ḣ = f′ȧ∘b + f∘ḃ
 *   ā = h̄∘b∘f′,  b̄ = h̄∘f
 *   ā̇ = h̄̇∘b∘f′ + h̄∘ḃ∘f′ + h̄∘b∘f″ȧ,  b̄̇ = h̄̇∘f + h̄∘f′ȧ
 * </pre>
 *
 * @param b null: no gate, as if it were one everywhere
 */
public record GatedUnit(Nonlinearity f, Value a, Value b, Value h) implements Op {
  /** a, b (N,F), b null for no gate; gives (N,F). */
  public static Value on(Recorder tape, Nonlinearity f, Value a, Value b) {
    Value h = tape.activation(a.rows(), a.width(), a.active() || b != null && b.active());
    return tape.record(new GatedUnit(f, a, b, h)).h;
  }

  @Override
  public List<Value> inputs() {
    return b == null ? List.of(a) : List.of(a, b);
  }

  @Override
  public List<Value> outputs() {
    return List.of(h);
  }

  @Override
  public List<Value> saved() {
    return b == null ? List.of(a) : List.of(a, b);
  }

  @Override
  public List<Value> savedAdjoints() {
    return List.of(h);
  }

  @Override
  public boolean takesColumns(Value value, boolean adjoint) {
    return !(adjoint && value.equals(h));
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    pass.backend().run(new GatedUnitKernels.Forward(kept(primal), primal.allocate(h)));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots tangent = pass.tangent();
    Tensor da = tangent.get(a);
    Tensor db = b == null ? null : tangent.get(b);
    Tensor dh = tangent.allocate(h);
    pass.backend().run(new GatedUnitKernels.Tangent(kept(pass.primal()), da, db, dh));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gh = adjoint.get(h);
    Tensor ga = adjoint.allocate(a);
    Tensor gb = b == null ? null : adjoint.allocate(b);
    pass.backend().run(new GatedUnitKernels.Backward(kept(pass.primal()), gh, ga, gb));
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots tangent = pass.tangent();
    Slots adjointTangent = pass.adjointTangent();
    Tensor gh = pass.adjoint().single(h);
    Tensor da = tangent.get(a);
    Tensor db = b == null ? null : tangent.get(b);
    Tensor dgh = adjointTangent.get(h);
    Tensor dga = adjointTangent.allocate(a);
    Tensor dgb = b == null ? null : adjointTangent.allocate(b);
    pass.backend()
        .run(
            new GatedUnitKernels.BackwardTangent(
                kept(pass.primal()), gh, da, db, dgh, dga, dgb));
  }

  private GatedUnitKernels.Primal kept(Slots primal) {
    return new GatedUnitKernels.Primal(f, primal.get(a), b == null ? null : primal.get(b));
  }
}
