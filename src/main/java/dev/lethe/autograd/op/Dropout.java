package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.DropoutKernels;
import dev.lethe.tensor.Tensor;

/**
 * y = x∘mask/(1−p), the mask a function of the seed and the rows' keys: one diagonal map in all modes.
 *
 * @param keys I32 (N,2)
 */
public record Dropout(double probability, long seed, Tensor keys, Value x, Value y)
    implements LinearMap {
  /** Row keys I32 (N,2), x (N,D); gives the same shape as x. */
  public static Value on(Recorder tape, double probability, long seed, Tensor keys, Value x) {
    Value y = tape.activation(x.rows(), x.width(), x.active());
    return tape.record(new Dropout(probability, seed, keys, x, y)).y;
  }

  @Override
  public boolean accumulates() {
    return true;
  }

  @Override
  public void map(Backend backend, Slots slots) {
    Tensor in = slots.get(x);
    backend.run(
        new DropoutKernels.Apply(seed, probability, keys, in, slots.allocate(y), false));
  }

  @Override
  public void transposed(Backend backend, Slots slots) {
    boolean accumulate = slots.has(x);
    Tensor gy = slots.get(y);
    Tensor gx = slots.accumulated(x);
    backend.run(new DropoutKernels.Apply(seed, probability, keys, gy, gx, accumulate));
  }
}
