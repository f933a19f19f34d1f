package dev.lethe.autograd.op;

import dev.lethe.tensor.Tensor;
import java.util.List;

/** y = x, numbers that do not depend on parameters and were computed before; y is x's own memory. */
public record Input(Tensor x, Value y) implements Source {
  /** x (N,D) in activation format, alive as long as the tape is used; gives (N,D). */
  public static Value on(Recorder tape, Tensor x) {
    Value y = tape.activation(x.dim(0), x.dim(1), false);
    return tape.record(new Input(x, y)).y;
  }

  @Override
  public List<Value> outputs() {
    return List.of(y);
  }

  @Override
  public void forward(ForwardPass pass) {
    pass.primal().lend(x, y);
  }
}
