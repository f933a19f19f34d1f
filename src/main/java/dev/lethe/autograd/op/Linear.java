package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraKernels.InputAdjoint;
import dev.lethe.backend.kernel.LoraKernels.InputTangent;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * A frozen linear layer with its adapter: y = xWᵀ + bias + s u Bᵀ, u = xₐAᵀ. A and B are parameters, Ȧ and Ḃ their
 * directions; xₐ is x itself, or a dropped-out copy of it, and then x̄ is split between the two.
 *
 * <pre>
 *   u̇ = ẋₐAᵀ + xₐȦᵀ,  ẏ = ẋWᵀ + s(u̇Bᵀ + uḂᵀ)
 *   h = ȳB,  x̄ = ȳW + s hA
 *   ḣ = ȳ̇B + ȳḂ,  x̄̇ = ȳ̇W + s(ḣA + hȦ)
 *   Ā = s hᵀxₐ,  B̄ = s ȳᵀu,  Ā̇ = s(ḣᵀxₐ + hᵀẋₐ),  B̄̇ = s(ȳ̇ᵀu + ȳᵀu̇)
 * </pre>
 *
 * <p>Hu et al., arXiv 2106.09685.
 *
 * @param xa the adapter's input, mostly x
 * @param u null without an adapter; its adjoint is h
 */
public record Linear(LoraLinear layer, Value x, Value xa, Value u, Value y) implements Op {
  /** x and the adapter's input xa (N,in), mostly the same; gives (N,out). */
  public static Value on(Recorder tape, LoraLinear layer, Value x, Value xa) {
    boolean adapter = layer.hasAdapter();
    Value u = adapter ? tape.activation(x.rows(), layer.slot().rank(), true) : null;
    Value y = tape.activation(x.rows(), layer.weight().out(), adapter || x.active());
    return tape.record(new Linear(layer, x, xa, u, y)).y;
  }

  private boolean sharedInput() {
    return x.equals(xa);
  }

  @Override
  public List<Value> inputs() {
    return sharedInput() ? List.of(x) : List.of(x, xa);
  }

  @Override
  public List<Value> outputs() {
    return layer.hasAdapter() ? List.of(u, y) : List.of(y);
  }

  @Override
  public List<Value> saved() {
    return layer.hasAdapter() ? List.of(xa, u) : List.of();
  }

  @Override
  public List<Value> savedAdjoints() {
    return layer.hasAdapter() ? List.of(u, y) : List.of();
  }

  @Override
  public boolean accumulates() {
    return true;
  }

  @Override
  public Adapter adapter() {
    return layer.hasAdapter() ? new Adapter(layer.slot(), xa, u, y) : null;
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    Tensor low = layer.hasAdapter() ? primal.allocate(u) : null;
    pass.backend()
        .run(
            new LoraKernels.Forward(
                layer,
                parameters(pass.theta()),
                primal.get(x),
                primal.get(xa),
                low,
                primal.allocate(y)));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots tangent = pass.tangent();
    Tensor dx = tangent.get(x);
    if (!layer.hasAdapter()) {
      InputTangent in = new InputTangent(dx, null);
      Tensor dy = tangent.allocate(y);
      pass.backend().run(new LoraKernels.Tangent(layer, null, null, null, null, in, null, dy));
      return;
    }
    Tensor ofAdapter = pass.primal().get(xa);
    Tensor low = pass.primal().get(u);
    InputTangent in = new InputTangent(dx, sharedInput() ? null : tangent.get(xa));
    Tensor du = tangent.allocate(u);
    Tensor dy = tangent.allocate(y);
    pass.backend()
        .run(new LoraKernels.Tangent(layer, pass.theta(), pass.v(), ofAdapter, low, in, du, dy));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gy = adjoint.get(y);
    Tensor h = layer.hasAdapter() ? adjoint.allocate(u) : null;
    InputAdjoint in = inputAdjoint(adjoint);
    pass.backend().run(new LoraKernels.Backward(layer, parameters(pass.theta()), gy, h, in));
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots adjointTangent = pass.adjointTangent();
    Tensor dgy = adjointTangent.get(y);
    if (!layer.hasAdapter()) {
      // A frozen map is linear: its backward is its own backward tangent.
      InputAdjoint in = inputAdjoint(adjointTangent);
      pass.backend().run(new LoraKernels.Backward(layer, null, dgy, null, in));
      return;
    }
    Tensor gy = pass.adjoint().single(y);
    Tensor h = pass.adjoint().single(u);
    Tensor dh = adjointTangent.allocate(u);
    InputAdjoint in = inputAdjoint(adjointTangent);
    BackwardTangentPass.Directions along = pass.along();
    pass.backend()
        .run(
            new LoraKernels.BackwardTangent(
                layer, pass.theta(), along.v(), gy, h, dgy, dh, in));
    Slots tangent = pass.tangent();
    pass.backend()
        .run(
            new LoraGradientKernels.GradientTangent(
                layer.slot(),
                new LoraGradientKernels.Kept(pass.primal().get(xa), pass.primal().get(u), h, gy),
                new LoraGradientKernels.KeptTangent(tangent.get(xa), tangent.get(u), dh, dgy),
                along.scale(),
                along.products()));
  }

  /** Where the adjoints of the inputs go: x's where something else may have left its own. */
  private InputAdjoint inputAdjoint(Slots adjoint) {
    boolean accumulate = adjoint.has(x);
    Tensor gx = x.active() ? adjoint.accumulated(x) : null;
    boolean apart = layer.hasAdapter() && !sharedInput() && xa.active();
    return new InputAdjoint(gx, apart ? adjoint.allocate(xa) : null, accumulate);
  }

  private Tensor parameters(Tensor theta) {
    return layer.hasAdapter() ? theta : null;
  }
}
