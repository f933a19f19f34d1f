package dev.lethe.autograd;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Checks every derivative of a tape to second order, in random directions: gradient and Hessian product
 * against central differences, and the identities that hold to rounding (⟨Jv,1⟩ = ⟨g,v⟩, uᵀHv = vᵀHu,
 * uᵀGv = vᵀGu, vᵀGv ≥ 0, sum and norms of per-sample gradients, Fisher from per-sample gradients).
 *
 * <p>Meant for the float64 reference backend, where differences resolve to about 1e-7.
 */
public final class GradCheck {
  private static final double STEP = 1e-5;

  private final Backend backend;
  private final Tape tape;
  private final Tensor theta;
  private final Scope scope;
  private final Tensor u;
  private final Tensor v;

  private GradCheck(Backend backend, Tape tape, Tensor theta, Scope scope, long seed) {
    this.backend = backend;
    this.tape = tape;
    this.theta = theta;
    this.scope = scope;
    SplittableRandom random = new SplittableRandom(seed);
    this.u = direction(random);
    this.v = direction(random);
  }

  /**
   * @param theta parameters (P) of the backend, where to check
   * @param seed of the two random directions
   * @return one entry a check, with its error relative to the size of what is compared
   */
  public static List<Check> check(Backend backend, Tape tape, Tensor theta, long seed) {
    try (Scope scope = backend.openScope("grad-check");
        Linearization at = new Linearization(backend, tape, theta)) {
      return new GradCheck(backend, tape, theta, scope, seed).run(at);
    }
  }

  private List<Check> run(Linearization at) {
    Tensor g = at.gradient(scope);
    Tensor hu = at.hvp(u, scope).row(0);
    Tensor hv = at.hvp(v, scope).row(0);
    Tensor gu = at.ggn(u, scope).row(0);
    Tensor gv = at.ggn(v, scope).row(0);
    Tensor flatU = u.row(0);
    Tensor flatV = v.row(0);
    double slope = dot(g, flatV);
    double curvature = dot(flatV, gv);
    return List.of(
        new Check("gradient against differences", error(slope, lossSlope())),
        new Check("Hessian product against differences", error(hv, gradientSlope())),
        new Check("tangent pass against gradient", error(mean(at.jvp(v)[0]), slope)),
        new Check("Hessian symmetric", error(dot(flatU, hv), dot(flatV, hu))),
        new Check("Gauss-Newton symmetric", error(dot(flatU, gv), dot(flatV, gu))),
        new Check("Gauss-Newton positive", Math.max(0, -curvature)),
        new Check("sum of per-sample gradients", error(sumOfSamples(at), g)),
        new Check("norms of per-sample gradients", normsError(at)),
        new Check("Fisher from per-sample gradients", error(fisher(at), at.fisher(v, scope).row(0))));
  }

  private double lossSlope() {
    double above = mean(Gradients.losses(backend, tape, moved(STEP)));
    double below = mean(Gradients.losses(backend, tape, moved(-STEP)));
    return (above - below) / (2 * STEP);
  }

  private Tensor gradientSlope() {
    Tensor slope = zeros();
    double scale = 1 / (2 * STEP * tape.packing().count());
    Gradients.addGradient(backend, tape, moved(STEP), scale, slope);
    Gradients.addGradient(backend, tape, moved(-STEP), -scale, slope);
    return slope;
  }

  private Tensor sumOfSamples(Linearization at) {
    Tensor sum = zeros();
    Tensor each = at.perSampleGradients(scope);
    for (int i = 0; i < at.samples(); i++) {
      backend.vectors().axpy(1.0 / at.samples(), each.row(i), sum);
    }
    return sum;
  }

  /** The worst of ‖gᵢ‖² without gᵢ against those of the gradients. */
  private double normsError(Linearization at) {
    Tensor norms = scope.allocate(backend.vectorType(), at.samples());
    backend.vectors().fill(norms, 0);
    at.addPerSampleSquaredNorms(norms);
    Tensor host = Tensor.of(Shape.of(at.samples()), new double[at.samples()]);
    backend.download(norms, host);
    double[] values = host.toDoubles();
    Tensor each = at.perSampleGradients(scope);
    double worst = 0;
    for (int i = 0; i < at.samples(); i++) {
      worst = Math.max(worst, error(values[i], dot(each.row(i), each.row(i))));
    }
    return worst;
  }

  private Tensor fisher(Linearization at) {
    Tensor sum = zeros();
    Tensor each = at.perSampleGradients(scope);
    for (int i = 0; i < at.samples(); i++) {
      double weight = dot(each.row(i), v.row(0)) / at.samples();
      backend.vectors().axpy(weight, each.row(i), sum);
    }
    return sum;
  }

  private Tensor moved(double step) {
    Tensor moved = zeros();
    backend.vectors().copy(theta, moved);
    backend.vectors().axpy(step, v.row(0), moved);
    return moved;
  }

  private Tensor direction(SplittableRandom random) {
    double[] values = random.doubles(theta.elements(), -1, 1).toArray();
    Tensor direction = scope.allocate(backend.vectorType(), 1, values.length);
    backend.upload(Tensor.of(Shape.of(1, values.length), values), direction);
    return direction;
  }

  private Tensor zeros() {
    Tensor zeros = scope.allocate(backend.vectorType(), theta.elements());
    backend.vectors().fill(zeros, 0);
    return zeros;
  }

  private double dot(Tensor x, Tensor y) {
    return backend.vectors().dot(x, y);
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double error(double got, double expected) {
    return Math.abs(got - expected) / Math.max(1e-30, Math.max(Math.abs(got), Math.abs(expected)));
  }

  private double error(Tensor got, Tensor expected) {
    Tensor difference = zeros();
    backend.vectors().copy(got, difference);
    backend.vectors().axpy(-1, expected, difference);
    double size = Math.max(backend.vectors().norm(got), backend.vectors().norm(expected));
    return backend.vectors().norm(difference) / Math.max(1e-30, size);
  }

  /**
   * @param name what was compared
   * @param error relative to the larger side
   */
  public record Check(String name, double error) {}
}
