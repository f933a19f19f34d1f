package dev.lethe.replay.operator;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The part of a LoRA pair's Hessian that Gauss-Newton curvature lacks. The loss sees A and B through W =
 * W₀ + s·BA, which is bilinear in them, so with G = ∂ℓ/∂W (out,in)
 *
 * <pre>{@code Ā += s·ḂᵀG,  B̄ += s·GȦᵀ}</pre>
 *
 * G is known as a product of thin matrices G ≈ Σₜ ȳₜxₜᵀ: at visited steps their own, elsewhere a mean
 * over some steps, linear in between. Such a sum is what ρ tokens with fixed x and ȳ would give, so the
 * derivative of the adapter's gradient along (Ȧ,Ḃ) is the term.
 */
public final class BilinearTerm implements ReplayOperator {
  private final Backend backend;
  private final List<LoraLinear> layers;
  private final List<Point> points = new ArrayList<>();
  private final Map<Integer, Point> own = new HashMap<>();
  private final Scope scope;

  /**
   * One layer's G ≈ Σₜ ȳₜxₜᵀ.
   *
   * @param x (ρ,in), host memory
   * @param gy ȳ (ρ,out), host memory
   */
  public record Weight(Tensor x, Tensor gy) {}

  /**
   * @param layers the adapted layers in the order of θ
   */
  public BilinearTerm(Backend backend, List<LoraLinear> layers) {
    this.backend = backend;
    this.layers = List.copyOf(layers);
    this.scope = backend.openScope("bilinear term");
  }

  /**
   * Adds G around a step, later than those added before; its tensors are copied to the backend.
   *
   * @param weights one for each layer
   */
  public void addMean(int step, List<Weight> weights) {
    if (!points.isEmpty() && step <= points.getLast().step) {
      throw new ArgumentException(Text.format("step %d after %d", step, points.getLast().step));
    }
    points.add(point(step, weights));
  }

  /** Adds a step's own G; its tensors are copied to the backend. */
  public void addOwn(int step, List<Weight> weights) {
    own.put(step, point(step, weights));
  }

  private Point point(int step, List<Weight> weights) {
    if (weights.size() != layers.size()) {
      throw new ArgumentException(
          Text.format("%d gradients for %d layers", weights.size(), layers.size()));
    }
    return new Point(step, weights.stream().map(this::upload).toList());
  }

  private Weight upload(Weight weight) {
    return new Weight(upload(weight.x), upload(weight.gy));
  }

  private Tensor upload(Tensor host) {
    Tensor copy = scope.allocate(backend.activationType(), host.shape());
    backend.upload(host, copy);
    return copy;
  }

  @Override
  public String name() {
    return "bilinear";
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
    if (own.containsKey(step)) {
      addProduct(own.get(step), d, scale, out);
      return;
    }
    int next = 0;
    while (next < points.size() && points.get(next).step <= step) {
      next++;
    }
    if (next == 0 || next == points.size()) {
      addProduct(points.get(Math.max(0, next - 1)), d, scale, out);
      return;
    }
    Point before = points.get(next - 1);
    Point after = points.get(next);
    double share = (double) (step - before.step) / (after.step - before.step);
    addProduct(before, d, scale * (1 - share), out);
    if (share > 0) {
      addProduct(after, d, scale * share, out);
    }
  }

  private void addProduct(Point point, Tensor d, double scale, Tensor out) {
    try (Scope pass = backend.openScope("bilinear product")) {
      for (int i = 0; i < layers.size(); i++) {
        if (point.weights.get(i).x.dim(0) > 0) {
          addProduct(layers.get(i), point.weights.get(i), new Pass(pass, d, scale, out));
        }
      }
    }
  }

  private void addProduct(LoraLinear layer, Weight g, Pass p) {
    LoraSlot slot = layer.slot();
    long k = p.d.dim(0);
    long tokens = g.x.dim(0);
    // θ, u and h have no part in the derivative, as x and ȳ do not depend on θ here.
    Tensor theta = p.d.row(0);
    Tensor zero = zeros(p.scope, Shape.of(tokens, slot.rank()));
    Tensor du = p.scope.allocate(backend.activationType(), k, tokens, slot.rank());
    Tensor dh = p.scope.allocate(backend.activationType(), k, tokens, slot.rank());
    Tensor dy = p.scope.allocate(backend.activationType(), k, tokens, slot.out());
    backend.run(
        new LoraKernels.Tangent(
            layer, theta, p.d, g.x, zero, new LoraKernels.InputTangent(null, null), du, dy));
    backend.run(
        new LoraKernels.BackwardTangent(
            layer,
            theta,
            p.d,
            g.gy,
            zero,
            null,
            dh,
            new LoraKernels.InputAdjoint(null, null, false)));
    backend.run(
        new LoraGradientKernels.GradientTangent(
            slot,
            new LoraGradientKernels.Kept(g.x, zero, zero, g.gy),
            new LoraGradientKernels.KeptTangent(null, du, dh, null),
            p.scale,
            p.out));
    for (Tensor used : List.of(zero, du, dh, dy)) {
      p.scope.release(used);
    }
  }

  private Tensor zeros(Scope owner, Shape shape) {
    Tensor zeros = owner.allocate(backend.activationType(), shape);
    backend.upload(Tensor.of(shape, new float[Math.toIntExact(shape.elements())]), zeros);
    return zeros;
  }

  @Override
  public void close() {
    scope.close();
  }

  private record Point(int step, List<Weight> weights) {}

  private record Pass(Scope scope, Tensor d, double scale, Tensor out) {}
}
