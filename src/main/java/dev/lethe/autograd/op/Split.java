package dev.lethe.autograd.op;

import dev.lethe.ArgumentException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.RowKernels.CopyColumns;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * x = [y₁ | y₂ | …]: the columns of what a fused linear layer gives, as values of their own. A layer that stands for
 * several keeps one weight and one adapter, whose gradients need no rule beyond {@link Linear}'s.
 */
public record Split(Value x, List<Value> parts) implements Op {
  /** x (N,D) and the parts' widths, which add up to D; gives the parts (N,width). */
  public static List<Value> on(Recorder tape, Value x, long... widths) {
    List<Value> parts = new ArrayList<>();
    long sum = 0;
    for (long width : widths) {
      parts.add(tape.activation(x.rows(), width, x.active()));
      sum += width;
    }
    if (sum != x.width()) {
      throw new ArgumentException("parts of " + sum + " columns for " + x.width());
    }
    return tape.record(new Split(x, List.copyOf(parts))).parts;
  }

  @Override
  public List<Value> inputs() {
    return List.of(x);
  }

  @Override
  public List<Value> outputs() {
    return parts;
  }

  @Override
  public void forward(ForwardPass pass) {
    split(pass.backend(), pass.primal());
  }

  @Override
  public void tangent(TangentPass pass) {
    split(pass.backend(), pass.tangent());
  }

  @Override
  public void backward(BackwardPass pass) {
    join(pass.backend(), pass.adjoint());
  }

  @Override
  public void backwardTangent(BackwardTangentPass pass) {
    join(pass.backend(), pass.adjointTangent());
  }

  private void split(Backend backend, Slots slots) {
    Tensor whole = slots.get(x);
    long column = 0;
    for (Value part : parts) {
      backend.run(new CopyColumns(whole, column, slots.allocate(part), 0, part.width()));
      column += part.width();
    }
  }

  private void join(Backend backend, Slots slots) {
    Tensor whole = slots.allocate(x);
    long column = 0;
    for (Value part : parts) {
      backend.run(new CopyColumns(slots.get(part), 0, whole, column, part.width()));
      column += part.width();
    }
  }
}
