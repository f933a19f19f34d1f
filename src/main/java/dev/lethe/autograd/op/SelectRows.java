package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.tensor.Tensor;

/**
 * y[j] = x[rows[j]]; transposed, x̄[rows[j]] = ȳ[j] and zero elsewhere.
 *
 * @param rows I32 (M), ascending, without repeats
 */
public record SelectRows(Tensor rows, Value x, Value y) implements LinearMap {
  /** rows I32 (M), x (N,D); gives (M,D). */
  public static Value on(Recorder tape, Tensor rows, Value x) {
    Value y = tape.activation(rows.elements(), x.width(), x.active());
    return tape.record(new SelectRows(rows, x, y)).y;
  }

  @Override
  public void map(Backend backend, Slots slots) {
    backend.run(new RowKernels.Gather(rows, slots.get(x), slots.allocate(y)));
  }

  @Override
  public void transposed(Backend backend, Slots slots) {
    backend.run(new RowKernels.Scatter(rows, slots.get(y), slots.allocate(x)));
  }
}
