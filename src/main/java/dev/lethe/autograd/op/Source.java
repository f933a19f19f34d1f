package dev.lethe.autograd.op;

import java.util.List;

/** An operation that reads no value: it depends on no parameters and has a forward rule only. */
public interface Source extends Op {
  @Override
  default List<Value> inputs() {
    return List.of();
  }

  @Override
  default void tangent(TangentPass pass) {
    throw inactive();
  }

  @Override
  default void backward(BackwardPass pass) {
    throw inactive();
  }

  @Override
  default void backwardTangent(BackwardTangentPass pass) {
    throw inactive();
  }

  private IllegalStateException inactive() {
    return new IllegalStateException(
        getClass().getSimpleName() + " depends on no parameters and has no derivative");
  }
}
