package dev.lethe.autograd.op.norm;

import dev.lethe.autograd.op.BackwardPass;
import dev.lethe.autograd.op.BackwardTangentPass;
import dev.lethe.autograd.op.ForwardPass;
import dev.lethe.autograd.op.Recorder;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.TangentPass;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * Residual and layer norm: s = x + f, y = w∘(r c) + b with c = s − mean s and r = (mean c² + ε)^-½ for each row;
 * without f (null), s is x. With g = w∘ȳ, q = mean(c∘g), and ġ = w∘ȳ̇:
 *
 * <pre>
 *   ṡ = ẋ + ḟ,  ċ = ṡ − mean ṡ,  ṙ = −r³ mean(c∘ċ),  ẏ = w∘(r ċ + ṙ c)
 *   x̄ = f̄ = s̄ + r (g − mean g) − r³ q c
 *   q̇ = mean(ċ∘g + c∘ġ)
 *   x̄̇ = s̄̇ + ṙ (g − mean g) + r (ġ − mean ġ) − (3 r² ṙ q + r³ q̇) c − r³ q ċ
 * </pre>
 *
 * <p>Ba, Kiros and Hinton, arXiv 1607.06450.
 *
 * @param weight w (D), frozen
 * @param bias b (D), frozen, or null
 * @param s the sum, for the next residual
 * @param y the normed sum, for the next layer
 * @param mean a statistic of every row
 * @param r another
 */
public record LayerNorm(
    Tensor weight,
    Tensor bias,
    double epsilon,
    Value x,
    Value f,
    Value s,
    Value y,
    Value mean,
    Value r)
    implements ResidualNorm {
  /** x (N,D), f (N,D) or null; {@link #s} and {@link #y} are (N,D). */
  public static LayerNorm on(
      Recorder tape, Tensor weight, Tensor bias, double epsilon, Value x, Value f) {
    boolean active = x.active() || (f != null && f.active());
    Value s = f == null ? x : tape.activation(x.rows(), x.width(), active);
    Value y = tape.activation(x.rows(), x.width(), active);
    Value mean = tape.statistic(1, x.rows(), active);
    Value r = tape.statistic(1, x.rows(), active);
    return tape.record(new LayerNorm(weight, bias, epsilon, x, f, s, y, mean, r));
  }

  @Override
  public List<Value> outputs() {
    return hasResidual() ? List.of(s, y, mean, r) : List.of(y, mean, r);
  }

  @Override
  public List<Value> saved() {
    return List.of(s, mean, r);
  }

  @Override
  public List<Value> savedAdjoints() {
    return List.of(y);
  }

  @Override
  public void forward(ForwardPass pass) {
    Slots primal = pass.primal();
    for (Value output : outputs()) {
      primal.allocate(output);
    }
    Tensor residual = ResidualNorm.orNull(primal, f);
    pass.backend()
        .run(
            new LayerNormKernels.Forward(
                kept(primal), bias, epsilon, primal.get(x), residual, primal.get(y)));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots tangent = pass.tangent();
    Tensor dx = tangent.get(x);
    Tensor df = ResidualNorm.orNull(tangent, f);
    Tensor ds = sumTangent(tangent);
    Tensor dy = tangent.allocate(y);
    pass.backend().run(new LayerNormKernels.Tangent(kept(pass.primal()), dx, df, ds, dy));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gs = hasResidual() ? adjoint.get(s) : null;
    Tensor gx = inputAdjoint(adjoint);
    pass.backend()
        .run(new LayerNormKernels.Backward(kept(pass.primal()), gs, adjoint.get(y), gx));
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
            new LayerNormKernels.BackwardTangent(
                kept(pass.primal()), gy, ds, dgs, adjointTangent.get(y), dgx));
  }

  private LayerNormKernels.Primal kept(Slots primal) {
    return new LayerNormKernels.Primal(
        weight, primal.get(s), primal.single(mean), primal.single(r));
  }
}
