package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * Residual and root-mean-square norm: s = x + f, y = w∘(r s) with r = (mean s² + ε)^-½ for each row; without f
 * (null), s is x. With g = w∘ȳ and c = mean(s∘g):
 *
 * <pre>
 *   ṡ = ẋ + ḟ,  ṙ = −r³ mean(s∘ṡ),  ẏ = w∘(r ṡ + ṙ s)
 *   x̄ = f̄ = s̄ + r g − r³ c s
 *   ċ = mean(ṡ∘g + s∘ġ)
 *   x̄̇ = s̄̇ + ṙ g + r ġ − (3 r² ṙ c + r³ ċ) s − r³ c ṡ
 * </pre>
 *
 * <p>Zhang and Sennrich, arXiv 1910.07467.
 *
 * @param weight w (D), frozen
 * @param s the sum, for the next residual
 * @param y the normed sum, for the next layer
 * @param r a statistic of every row
 */
public record RmsNorm(Tensor weight, double epsilon, Value x, Value f, Value s, Value y, Value r)
    implements ResidualNorm {
  /** x (N,D), f (N,D) or null; {@link #s} and {@link #y} are (N,D). */
  public static RmsNorm on(Recorder tape, Tensor weight, double epsilon, Value x, Value f) {
    boolean active = x.active() || (f != null && f.active());
    Value s = f == null ? x : tape.activation(x.rows(), x.width(), active);
    Value y = tape.activation(x.rows(), x.width(), active);
    Value r = tape.statistic(1, x.rows(), active);
    return tape.record(new RmsNorm(weight, epsilon, x, f, s, y, r));
  }

  @Override
  public List<Value> outputs() {
    return hasResidual() ? List.of(s, y, r) : List.of(y, r);
  }

  @Override
  public List<Value> saved() {
    return List.of(s, r);
  }

  @Override
  public List<Value> savedAdjoints() {
    return List.of(y);
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    Tensor residual = ResidualNorm.orNull(primal, f);
    Tensor sum = hasResidual() ? primal.allocate(s) : null;
    Tensor normed = primal.allocate(y);
    Tensor reciprocal = primal.allocate(r).row(0);
    pass.backend()
        .run(
            new RmsNormKernels.Forward(
                weight, epsilon, primal.get(x), residual, sum, normed, reciprocal));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots tangent = pass.tangent();
    Tensor dx = tangent.get(x);
    Tensor df = ResidualNorm.orNull(tangent, f);
    Tensor ds = sumTangent(tangent);
    Tensor dy = tangent.allocate(y);
    pass.backend().run(new RmsNormKernels.Tangent(kept(pass.primal()), dx, df, ds, dy));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gs = hasResidual() ? adjoint.get(s) : null;
    Tensor gx = inputAdjoint(adjoint);
    pass.backend()
        .run(new RmsNormKernels.Backward(kept(pass.primal()), gs, adjoint.get(y), gx));
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots adjointTangent = pass.adjointTangent();
    Tensor gy = pass.adjoint().single(y);
    Tensor ds = pass.tangent().get(s);
    Tensor dgs = hasResidual() ? adjointTangent.get(s) : null;
    Tensor dgx = inputAdjoint(adjointTangent);
    pass.backend()
        .run(
            new RmsNormKernels.BackwardTangent(
                kept(pass.primal()), gy, ds, dgs, adjointTangent.get(y), dgx));
  }

  private RmsNormKernels.Primal kept(Slots primal) {
    return new RmsNormKernels.Primal(weight, primal.get(s), primal.single(r));
  }
}
