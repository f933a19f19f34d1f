package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.SwiGluKernels;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * The gated unit h = f(a)∘b with f(x) = x·sigmoid(x). Elementwise, so that every rule is:
 *
 * <pre>
 *   ḣ = f′ȧ∘b + f∘ḃ
 *   ā = h̄∘b∘f′,  b̄ = h̄∘f
 *   ā̇ = h̄̇∘b∘f′ + h̄∘ḃ∘f′ + h̄∘b∘f″ȧ,  b̄̇ = h̄̇∘f + h̄∘f′ȧ
 * </pre>
 */
public record SwiGlu(Value a, Value b, Value h) implements Op {
  /** a, b (N,F); gives (N,F). */
  public static Value on(Recorder tape, Value a, Value b) {
    Value h = tape.activation(a.rows(), a.width(), a.active() || b.active());
    return tape.record(new SwiGlu(a, b, h)).h;
  }

  @Override
  public List<Value> inputs() {
    return List.of(a, b);
  }

  @Override
  public List<Value> outputs() {
    return List.of(h);
  }

  @Override
  public List<Value> saved() {
    return List.of(a, b);
  }

  @Override
  public List<Value> savedAdjoints() {
    return List.of(h);
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    pass.backend()
        .run(new SwiGluKernels.Forward(primal.get(a), primal.get(b), primal.allocate(h)));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots primal = pass.primal();
    Slots tangent = pass.tangent();
    Tensor da = tangent.get(a);
    Tensor db = tangent.get(b);
    pass.backend()
        .run(
            new SwiGluKernels.Tangent(primal.get(a), primal.get(b), da, db, tangent.allocate(h)));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots primal = pass.primal();
    Slots adjoint = pass.adjoint();
    Tensor ga = adjoint.allocate(a);
    Tensor gb = adjoint.allocate(b);
    pass.backend()
        .run(new SwiGluKernels.Backward(primal.get(a), primal.get(b), adjoint.get(h), ga, gb));
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots primal = pass.primal();
    Slots tangent = pass.tangent();
    Slots adjointTangent = pass.adjointTangent();
    Tensor gh = pass.adjoint().single(h);
    Tensor dgh = adjointTangent.get(h);
    Tensor dga = adjointTangent.allocate(a);
    Tensor dgb = adjointTangent.allocate(b);
    pass.backend()
        .run(
            new SwiGluKernels.BackwardTangent(
                primal.get(a), primal.get(b), gh, tangent.get(a), tangent.get(b), dgh, dga, dgb));
  }
}
