package dev.lethe.autograd.op.norm;

import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.Value;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** A norm of s = x + f that passes the sum on; without f (null), s is x. */
public interface ResidualNorm extends Op {
  Value x();

  Value f();

  /** The sum, for the next residual. */
  Value s();

  /** The normed sum, for the next layer. */
  Value y();

  default boolean hasResidual() {
    return f() != null;
  }

  @Override
  default List<Value> inputs() {
    return hasResidual() ? List.of(x(), f()) : List.of(x());
  }

  /** Where a kernel writes ṡ; null where s has one side's tangent, which it shares. */
  default Tensor sumTangent(Slots tangent) {
    if (!hasResidual()) {
      return null;
    }
    if (tangent.has(x()) && tangent.has(f())) {
      return tangent.allocate(s());
    }
    tangent.share(tangent.has(x()) ? x() : f(), s());
    return null;
  }

  /** Where a kernel writes the adjoint of both sides: in f's place, as f may have one beside others. */
  default Tensor inputAdjoint(Slots adjoint) {
    if (!hasResidual() || !f().active()) {
      return adjoint.allocate(x());
    }
    Tensor gx = adjoint.allocate(f());
    if (x().active()) {
      adjoint.share(f(), x());
    }
    return gx;
  }

  /** What a mode holds for f; null without a residual, and where it is a structural zero. */
  static Tensor orNull(Slots slots, Value value) {
    return value == null ? null : slots.get(value);
  }
}
