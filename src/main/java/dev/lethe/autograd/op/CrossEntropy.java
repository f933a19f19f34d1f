package dev.lethe.autograd.op;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * The end of a tape: row losses −log p[target] with p = softmax(z), z = x·headᵀ, to be summed with weights w.
 * Passes stop before it; who runs them asks it by name for what is wanted.
 *
 * <pre>
 *   ż = ẋ·headᵀ,  loss tangent Σ p∘ż − ż[target]
 *   x̄ = w (p − onehot)·head
 *   x̄̇ = w (p∘(ż − Σ p∘ż))·head
 * </pre>
 *
 * <p>The last line is the loss's own Hessian product, the middle factor of Gauss-Newton products as well.
 *
 * @param targets I32 (M)
 * @param weights (M): 1/(supervised rows of the sample)
 * @param packing the samples' supervised rows
 * @param x (M,D)
 * @param loss (1,M)
 * @param p the softmax (M,V), made only where products are wanted
 */
public record CrossEntropy(
    FrozenLinear head,
    Tensor targets,
    Tensor weights,
    Packing packing,
    Value x,
    Value loss,
    Value p)
    implements Op {
  /** Records the losses of the supervised rows; arguments as the components. */
  public static CrossEntropy on(
      Recorder tape,
      FrozenLinear head,
      Value x,
      Tensor targets,
      Tensor weights,
      Packing supervised) {
    if (supervised.count() != tape.packing().count() || supervised.rows() != x.rows()) {
      throw new ArgumentException(
          Text.format(
              "cross-entropy over %s for a batch of %s, %d rows",
              supervised, tape.packing(), x.rows()));
    }
    Value loss = tape.statistic(1, x.rows(), x.active());
    Value p = tape.activation(x.rows(), head.out(), x.active());
    return tape.record(new CrossEntropy(head, targets, weights, supervised, x, loss, p));
  }

  @Override
  public List<Value> inputs() {
    return List.of(x);
  }

  @Override
  public List<Value> outputs() {
    return List.of(loss, p);
  }

  @Override
  public List<Value> saved() {
    return List.of(p);
  }

  /** Losses alone. */
  @Override
  public void forward(ForwardPass pass) {
    forward(pass, false, null);
  }

  /**
   * Losses, and what later modes need.
   *
   * @param keepSoftmax whether products will be wanted
   * @param adjoint where the adjoint of x is left; null where no gradient is wanted
   */
  public void forward(ForwardPass pass, boolean keepSoftmax, Slots adjoint) {
    Slots primal = pass.primal();
    Tensor losses = primal.allocate(loss).row(0);
    Tensor softmax = keepSoftmax ? primal.allocate(p) : null;
    boolean wantsAdjoint = adjoint != null && x.active();
    Tensor gx = wantsAdjoint ? adjoint.allocate(x).row(0) : null;
    pass.backend()
        .run(
            new LossKernels.Forward(
                head, primal.get(x), targets, weights, losses, softmax, gx));
  }

  /** Row loss tangents (k,1,M). */
  @Override
  public void tangent(TangentPass pass) {
    Tensor dLoss = pass.tangent().allocate(loss);
    Tensor rows = dLoss.reshape(dLoss.dim(0), x.rows());
    Tensor dx = pass.tangent().get(x);
    pass.backend()
        .run(new LossKernels.Tangent(head, pass.primal().get(p), targets, dx, rows));
  }

  /** The adjoint of x, by running the losses again: for who did not ask the first run for it. */
  @Override
  public void backward(BackwardPass pass) {
    Tensor gx = pass.adjoint().allocate(x).row(0);
    try (Scope scratch = pass.backend().openScope("loss")) {
      Tensor losses = scratch.allocate(pass.backend().vectorType(), x.rows());
      pass.backend()
          .run(
              new LossKernels.Forward(
                  head, pass.primal().get(x), targets, weights, losses, null, gx));
    }
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    curvature(
        new TangentPass(
            pass.backend(), pass.theta(), pass.along().v(), pass.primal(), pass.tangent()),
        pass.adjointTangent());
  }

  /** The loss's Hessian in x times the tangents of x, left as x's adjoint. */
  public void curvature(TangentPass pass, Slots adjoint) {
    Tensor dx = pass.tangent().get(x);
    Tensor gx = adjoint.allocate(x);
    pass.backend()
        .run(new LossKernels.BackwardTangent(head, pass.primal().get(p), weights, dx, gx));
  }

  /**
   * Adjoints of x for labels drawn from the model, the first of those that the pass has; the others are left as they are.
   *
   * @param gx the primal's adjoint of x (M,D)
   * @param draws how many
   * @param scratch for the labels
   */
  public void drawn(BackwardPass pass, Tensor gx, int draws, long seed, Scope scratch) {
    Tensor drawn = pass.adjoint().allocate(x).slice(0, draws);
    Tensor labels = scratch.allocate(DType.I32, drawn.dim(0), x.rows());
    pass.backend()
        .run(
            new LossKernels.Drawn(
                head, pass.primal().get(p), targets, weights, gx, seed, labels, drawn));
  }
}
