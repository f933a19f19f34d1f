package dev.lethe.autograd.op;

import dev.lethe.ArgumentException;
import dev.lethe.backend.kernel.LoraAdjoint;
import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.Kept;
import dev.lethe.backend.kernel.LoraGradientKernels.KeptTangent;
import dev.lethe.backend.kernel.LoraGroup;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraKernels.InputAdjoint;
import dev.lethe.backend.kernel.LoraKernels.InputTangent;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Frozen linear layers of one input, each with its adapter: y = xWᵀ + bias + s u Bᵀ, u = xₐAᵀ. A and B are parameters, Ȧ
 * and Ḃ their directions; xₐ is x itself, or a dropped-out copy of it, and then x̄ is split between the two. x̄ is the sum
 * over the layers.
 *
 * <pre>
 *   u̇ = ẋₐAᵀ + xₐȦᵀ,  ẏ = ẋWᵀ + s(u̇Bᵀ + uḂᵀ)
 *   h = ȳB,  x̄ = ȳW + s hA
 *   ḣ = ȳ̇B + ȳḂ,  x̄̇ = ȳ̇W + s(ḣA + hȦ)
 *   Ā = s hᵀxₐ,  B̄ = s ȳᵀu,  Ā̇ = s(ḣᵀxₐ + hᵀẋₐ),  B̄̇ = s(ȳ̇ᵀu + ȳᵀu̇)
 * </pre>
 *
 * <p>Hu et al., arXiv 2106.09685. It asks for x beside the u's, and for the y's beside the h's: [x|u][W|sB]ᵀ and
 * [ȳ|h][W;sA] are one product each.
 *
 * @param xa the adapters' input, mostly x
 */
public record Linear(List<Layer> layers, Value x, Value xa) implements Op {
  /**
   * One of the layers.
   *
   * @param u null without an adapter; its adjoint is h
   */
  public record Layer(LoraLinear linear, Value u, Value y) {}

  /** x and the adapter's input xa (N,in), mostly the same; gives (N,out). */
  public static Value on(Recorder tape, LoraLinear layer, Value x, Value xa) {
    return on(tape, List.of(layer), x, xa).getFirst();
  }

  /**
   * Several layers of the same input; gives each one's result.
   *
   * @param xa x itself where there is more than one layer
   */
  public static List<Value> on(Recorder tape, List<LoraLinear> layers, Value x, Value xa) {
    if (layers.size() > 1 && !x.equals(xa)) {
      throw new ArgumentException("layers of one input whose adapters have another: record each for itself");
    }
    List<Layer> parts = new ArrayList<>();
    for (LoraLinear layer : layers) {
      boolean adapter = layer.hasAdapter();
      Value u = adapter ? tape.activation(x.rows(), layer.slot().rank(), true) : null;
      Value y = tape.activation(x.rows(), layer.weight().out(), adapter || x.active());
      parts.add(new Layer(layer, u, y));
    }
    return tape.record(new Linear(List.copyOf(parts), x, xa)).ys();
  }

  private boolean sharedInput() {
    return x.equals(xa);
  }

  private List<Value> ys() {
    return layers.stream().map(Layer::y).toList();
  }

  private List<Value> us() {
    return layers.stream().filter(layer -> layer.u != null).map(Layer::u).toList();
  }

  /** The layers that have tangents and adjoints. */
  private List<Layer> activeLayers() {
    return layers.stream().filter(layer -> layer.y.active()).toList();
  }

  @Override
  public List<Value> inputs() {
    return sharedInput() ? List.of(x) : List.of(x, xa);
  }

  @Override
  public List<Value> outputs() {
    return layers.stream()
        .flatMap(layer -> layer.u == null ? Stream.of(layer.y) : Stream.of(layer.u, layer.y))
        .toList();
  }

  @Override
  public List<Value> saved() {
    List<Value> us = us();
    return us.isEmpty() ? List.of() : Stream.concat(Stream.of(xa), us.stream()).toList();
  }

  @Override
  public List<Value> savedAdjoints() {
    return layers.stream()
        .filter(layer -> layer.u != null)
        .flatMap(layer -> Stream.of(layer.u, layer.y))
        .toList();
  }

  @Override
  public boolean accumulates() {
    return true;
  }

  @Override
  public List<Adapter> adapters() {
    return layers.stream()
        .filter(layer -> layer.u != null)
        .map(layer -> new Adapter(layer.linear.slot(), xa, layer.u, layer.y))
        .toList();
  }

  @Override
  public List<Layout.Together> together(boolean adjoint) {
    List<Value> us = us();
    if (!sharedInput() || (us.isEmpty() && layers.size() == 1)) {
      return List.of();
    }
    long rank = us.stream().mapToLong(Value::width).sum();
    if (adjoint) {
      return List.of(new Layout.Together(Stream.concat(ys().stream(), us.stream()).toList(), rank));
    }
    Layout.Together in = new Layout.Together(Stream.concat(Stream.of(x), us.stream()).toList(), rank);
    Layout.Together out = new Layout.Together(ys(), 0);
    return layers.size() == 1 ? List.of(in) : List.of(in, out);
  }

  @Override
  public boolean takesColumns(Value value, boolean adjoint) {
    return !adjoint || !inputs().contains(value);
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    List<LoraKernels.Forward> calls = new ArrayList<>();
    for (Layer layer : layers) {
      Tensor low = layer.u == null ? null : primal.allocate(layer.u);
      Tensor theta = layer.u == null ? null : pass.theta();
      Tensor y = primal.allocate(layer.y);
      calls.add(new LoraKernels.Forward(layer.linear, theta, primal.get(x), primal.get(xa), low, y));
    }
    pass.backend().run(LoraGroup.forward(calls, primal.whole(xa)));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots primal = pass.primal();
    Slots tangent = pass.tangent();
    Tensor dx = tangent.get(x);
    List<LoraKernels.Tangent> calls = new ArrayList<>();
    Tensor whole = null;
    for (Layer layer : activeLayers()) {
      if (layer.u == null) {
        InputTangent in = new InputTangent(dx, null);
        calls.add(
            new LoraKernels.Tangent(layer.linear, null, null, null, null, in, null, tangent.allocate(layer.y)));
      } else {
        InputTangent in = new InputTangent(dx, sharedInput() ? null : tangent.get(xa));
        Tensor du = tangent.allocate(layer.u);
        whole = tangent.whole(layer.u);
        calls.add(
            new LoraKernels.Tangent(
                layer.linear, pass.theta(), pass.v(), primal.get(xa), primal.get(layer.u), in, du,
                tangent.allocate(layer.y)));
      }
    }
    pass.backend().run(LoraGroup.tangent(calls, whole));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    List<Layer> active = activeLayers();
    List<InputAdjoint> to = inputAdjoints(active, adjoint);
    List<LoraKernels.Backward> calls = new ArrayList<>();
    for (int i = 0; i < active.size(); i++) {
      Layer layer = active.get(i);
      Tensor theta = layer.u == null ? null : pass.theta();
      Tensor h = layer.u == null ? null : adjoint.allocate(layer.u);
      calls.add(new LoraKernels.Backward(layer.linear, theta, adjoint.get(layer.y), h, to.get(i)));
    }
    LoraGroup<LoraKernels.Backward> group = LoraGroup.backward(calls, adjoint.whole(active.getFirst().y));
    List<Gradient> gradients = pass.sum() == null ? List.of() : gradients(pass);
    if (gradients.isEmpty()) {
      pass.backend().run(group);
    } else if (group.whole() == null) {
      pass.backend().run(group);
      pass.backend().run(LoraGroup.gradient(gradients));
    } else {
      pass.backend().run(LoraAdjoint.of(group, LoraGroup.gradient(gradients)));
    }
  }

  private List<Gradient> gradients(BackwardPass pass) {
    Slots primal = pass.primal();
    Slots adjoint = pass.adjoint();
    return adapters().stream()
        .map(of -> new Gradient(
            of.slot(), new Kept(primal.get(of.xa()), primal.get(of.u()), adjoint.get(of.u()), adjoint.get(of.y())),
            pass.sum().scale(), pass.sum().g()))
        .toList();
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots adjoint = pass.adjoint();
    Slots adjointTangent = pass.adjointTangent();
    List<Layer> active = activeLayers();
    List<InputAdjoint> to = inputAdjoints(active, adjointTangent);
    List<LoraKernels.BackwardTangent> calls = new ArrayList<>();
    BackwardTangentPass.Directions along = pass.along();
    for (int i = 0; i < active.size(); i++) {
      Layer layer = active.get(i);
      Tensor dgy = adjointTangent.get(layer.y);
      calls.add(
          layer.u == null
              ? new LoraKernels.BackwardTangent(layer.linear, null, null, null, null, dgy, null, to.get(i))
              : new LoraKernels.BackwardTangent(
                  layer.linear, pass.theta(), along.v(), adjoint.single(layer.y), adjoint.single(layer.u), dgy,
                  adjointTangent.allocate(layer.u), to.get(i)));
    }
    LoraGroup<LoraKernels.BackwardTangent> group =
        LoraGroup.backwardTangent(calls, adjointTangent.whole(active.getFirst().y));
    List<GradientTangent> gradients =
        active.stream().filter(layer -> layer.u != null).map(layer -> gradient(pass, layer)).toList();
    if (gradients.isEmpty()) {
      pass.backend().run(group);
    } else if (group.whole() == null) {
      pass.backend().run(group);
      pass.backend().run(LoraGroup.gradientTangent(gradients));
    } else {
      pass.backend().run(LoraAdjoint.ofTangents(group, LoraGroup.gradientTangent(gradients)));
    }
  }

  private GradientTangent gradient(BackwardTangentPass pass, Layer layer) {
    Slots primal = pass.primal();
    Slots tangent = pass.tangent();
    Slots adjoint = pass.adjoint();
    Slots adjointTangent = pass.adjointTangent();
    return new GradientTangent(
        layer.linear.slot(),
        new Kept(primal.get(xa), primal.get(layer.u), adjoint.single(layer.u), adjoint.single(layer.y)),
        new KeptTangent(
            tangent.get(xa), tangent.get(layer.u), adjointTangent.get(layer.u), adjointTangent.get(layer.y)),
        pass.along().scale(),
        pass.along().products());
  }

  /** Where each layer's adjoints of the inputs go: the last layer's first, and the others' on top of it. */
  private List<InputAdjoint> inputAdjoints(List<Layer> active, Slots adjoint) {
    boolean before = adjoint.has(x);
    Tensor gx = x.active() ? adjoint.accumulated(x) : null;
    List<InputAdjoint> to = new ArrayList<>();
    for (int i = 0; i < active.size(); i++) {
      boolean apart = active.get(i).u != null && !sharedInput() && xa.active();
      boolean last = i == active.size() - 1;
      to.add(new InputAdjoint(gx, apart ? adjoint.allocate(xa) : null, before || !last));
    }
    return to;
  }
}
