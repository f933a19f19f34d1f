package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import java.util.List;

/**
 * A frozen linear map y = Mx. Its tangent is the map itself, ẏ = Mẋ; its backward is the transpose, x̄ = Mᵀȳ, and the
 * backward tangent that again, x̄̇ = Mᵀȳ̇. So it has two rules in place of four, and keeps nothing.
 */
public interface LinearMap extends Op {
  Value x();

  Value y();

  /** y = Mx in the slots of one mode. */
  void map(Backend backend, Slots slots);

  /** x̄ = Mᵀȳ in the slots of one mode. */
  void transposed(Backend backend, Slots slots);

  @Override
  default List<Value> inputs() {
    return List.of(x());
  }

  @Override
  default List<Value> outputs() {
    return List.of(y());
  }

  @Override
  default void forward(ForwardPass pass) {
    map(pass.backend(), pass.primal());
  }

  @Override
  default void tangent(TangentPass pass) {
    map(pass.backend(), pass.tangent());
  }

  @Override
  default void backward(BackwardPass pass) {
    transposed(pass.backend(), pass.adjoint());
  }

  @Override
  default void backwardTangent(BackwardTangentPass pass) {
    transposed(pass.backend(), pass.adjointTangent());
  }
}
