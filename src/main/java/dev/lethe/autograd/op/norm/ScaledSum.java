package dev.lethe.autograd.op.norm;

import dev.lethe.autograd.op.BackwardPass;
import dev.lethe.autograd.op.BackwardTangentPass;
import dev.lethe.autograd.op.ForwardPass;
import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Recorder;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.TangentPass;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.ScaledSumKernels;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * s = c x + f, or s = c x where there is no f: a residual that no norm follows, and scaled embeddings. It is linear:
 *
 * <pre>
 *   ṡ = c ẋ + ḟ
 *   x̄ = c s̄,  f̄ = s̄
 *   x̄̇ = c s̄̇,  f̄̇ = s̄̇
 * </pre>
 *
 * @param f null: zero
 */
public record ScaledSum(double c, Value x, Value f, Value s) implements Op {
  /** x (N,D), f (N,D) or null; gives (N,D). */
  public static Value on(Recorder tape, double c, Value x, Value f) {
    Value s = tape.activation(x.rows(), x.width(), x.active() || f != null && f.active());
    return tape.record(new ScaledSum(c, x, f, s)).s;
  }

  @Override
  public List<Value> inputs() {
    return f == null ? List.of(x) : List.of(x, f);
  }

  @Override
  public List<Value> outputs() {
    return List.of(s);
  }

  @Override
  public boolean accumulates() {
    return true;
  }

  @Override
  public void forward(ForwardPass pass) {
    map(pass.backend(), pass.primal());
  }

  @Override
  public void tangent(TangentPass pass) {
    map(pass.backend(), pass.tangent());
  }

  @Override
  public void backward(BackwardPass pass) {
    transposed(pass.backend(), pass.adjoint());
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    transposed(pass.backend(), pass.adjointTangent());
  }

  private void map(Backend backend, Slots slots) {
    Tensor scaled = slots.get(x);
    Tensor other = ResidualNorm.orNull(slots, f);
    if (scaled == null) {
      slots.share(f, s);
    } else {
      backend.run(new ScaledSumKernels.Apply(c, scaled, other, slots.allocate(s)));
    }
  }

  private void transposed(Backend backend, Slots slots) {
    add(backend, slots, c, x);
    if (f != null) {
      add(backend, slots, 1, f);
    }
  }

  /** Adds to an adjoint that other readers of the value add to as well, so that none is shared. */
  private void add(Backend backend, Slots slots, double factor, Value to) {
    if (to.active()) {
      Tensor before = slots.has(to) ? slots.get(to) : null;
      Tensor gs = slots.get(s);
      backend.run(new ScaledSumKernels.Apply(factor, gs, before, slots.accumulated(to)));
    }
  }
}
