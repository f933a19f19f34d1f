package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * y = x rotated by position, in x's own memory. A rotation R is linear and orthogonal: ẏ = Rẋ and x̄ = R⁻¹ȳ.
 *
 * @param positions I32 (N)
 */
public record Rope(RopeTable table, Tensor positions, Value x, Value y) implements LinearMap {
  /** x (N,heads·headSize); gives the same shape. */
  public static Value on(Recorder tape, RopeTable table, Tensor positions, Value x) {
    Value y = tape.activation(x.rows(), x.width(), x.active());
    return tape.record(new Rope(table, positions, x, y)).y;
  }

  @Override
  public boolean takesColumns(Value value, boolean adjoint) {
    return true;
  }

  @Override
  public List<Value> oneMemory() {
    return List.of(x, y);
  }

  @Override
  public void map(Backend backend, Slots slots) {
    slots.share(x, y);
    rotate(backend, slots.get(y), false);
  }

  @Override
  public void transposed(Backend backend, Slots slots) {
    slots.share(y, x);
    rotate(backend, slots.get(x), true);
  }

  private void rotate(Backend backend, Tensor inPlace, boolean back) {
    backend.run(new RopeKernels.Rotate(table, positions, inPlace, back));
  }
}
