package dev.lethe.autograd.op.norm;

import dev.lethe.autograd.op.BackwardPass;
import dev.lethe.autograd.op.BackwardTangentPass;
import dev.lethe.autograd.op.ForwardPass;
import dev.lethe.autograd.op.Recorder;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.TangentPass;
import dev.lethe.autograd.op.Value;
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
 * <p>Without f, a row may be several heads side by side: then each part of w's width is a row of its own.
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
  /** x (N,D), f (N,D) or null; or x (N,heads·D) and no f. {@link #s} and {@link #y} are as x. */
  public static RmsNorm on(Recorder tape, Tensor weight, double epsilon, Value x, Value f) {
    boolean active = x.active() || (f != null && f.active());
    Value s = f == null ? x : tape.activation(x.rows(), x.width(), active);
    Value y = tape.activation(x.rows(), x.width(), active);
    Value r = tape.statistic(1, x.rows() * x.width() / weight.elements(), active);
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
  public boolean takesColumns(Value value, boolean adjoint) {
    boolean whole = x.width() == weight.elements();
    return adjoint ? hasResidual() && !value.equals(y) && !value.equals(r) : whole && value.equals(y);
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
                weight, epsilon, parts(primal.get(x)), residual, sum, parts(normed), reciprocal));
  }

  @Override
  public void tangent(TangentPass pass) {
    Slots tangent = pass.tangent();
    Tensor dx = parts(tangent.get(x));
    Tensor df = ResidualNorm.orNull(tangent, f);
    Tensor ds = sumTangent(tangent);
    Tensor dy = parts(tangent.allocate(y));
    pass.backend().run(new RmsNormKernels.Tangent(kept(pass.primal()), dx, df, ds, dy));
  }

  @Override
  public void backward(BackwardPass pass) {
    Slots adjoint = pass.adjoint();
    Tensor gs = hasResidual() ? adjoint.get(s) : null;
    Tensor gx = parts(inputAdjoint(adjoint));
    pass.backend()
        .run(new RmsNormKernels.Backward(kept(pass.primal()), gs, parts(adjoint.get(y)), gx));
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    Slots adjointTangent = pass.adjointTangent();
    Tensor gy = parts(pass.adjoint().single(y));
    Tensor ds = parts(pass.tangent().get(s));
    Tensor dgs = hasResidual() ? adjointTangent.get(s) : null;
    Tensor dgy = parts(adjointTangent.get(y));
    Tensor dgx = parts(inputAdjoint(adjointTangent));
    pass.backend()
        .run(new RmsNormKernels.BackwardTangent(kept(pass.primal()), gy, ds, dgs, dgy, dgx));
  }

  private RmsNormKernels.Primal kept(Slots primal) {
    return new RmsNormKernels.Primal(weight, parts(primal.get(s)), primal.single(r));
  }

  /** The same numbers with rows of w's width. */
  private Tensor parts(Tensor rows) {
    long width = weight.elements();
    if (rows == null || x.width() == width) {
      return rows;
    }
    long count = x.rows() * x.width() / width;
    return rows.shape().rank() == 2
        ? rows.reshape(count, width)
        : rows.reshape(rows.dim(0), count, width);
  }
}
