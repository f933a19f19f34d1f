package dev.lethe.autograd.op;

import java.util.List;

/**
 * A differentiable operation: a record of its inputs and outputs as {@link Value}s and of its frozen data, with its
 * four rules. Passes over a tape ask for the rules; an operation without an active output is run forward only.
 *
 * <p>An operation with internal results lists them as outputs as well, and their other modes hold the
 * matching internal quantity: for LoRA's u, the tangent is u̇, the adjoint slot holds h = ȳB and its
 * tangent ḣ; for attention's log-sum-exp L, the tangent is μ and the adjoint slot holds D.
 */
public interface Op {
  /** Values it reads. */
  List<Value> inputs();

  /** Values it makes. */
  List<Value> outputs();

  /** Outputs from inputs. */
  void forward(ForwardPass pass);

  /** Output tangents from input tangents, and from directions of its own parameters. */
  void tangent(TangentPass pass);

  /** Input adjoints from output adjoints: the transpose of {@link #tangent}. */
  void backward(BackwardPass pass);

  /** The derivative of {@link #backward} along the tangents, which makes forward-over-reverse Hessian products. */
  void backwardTangent(BackwardTangentPass pass);

  /** Values whose primal and tangent the later modes of this operation read. */
  default List<Value> saved() {
    return List.of();
  }

  /** Values whose adjoint the backward tangent, or a parameter gradient, of this operation reads. */
  default List<Value> savedAdjoints() {
    return List.of();
  }

  /** Whether any output depends on adapter parameters, so that it takes part in the other modes. */
  default boolean active() {
    return outputs().stream().anyMatch(Value::active);
  }

  /** Whether its backward adds to an adjoint that another consumer of the input has written. */
  default boolean accumulates() {
    return false;
  }

  /** What its parameter gradients are made of: an entry for each pair of parameters. */
  default List<Adapter> adapters() {
    return List.of();
  }

  /** Values that its rules read or write faster where they lie side by side, in primal or in adjoint modes. */
  default List<Layout.Together> together(boolean adjoint) {
    return List.of();
  }

  /** Whether its rules take this value, in primal or in adjoint modes, as columns of a wider matrix. */
  default boolean takesColumns(Value value, boolean adjoint) {
    return false;
  }

  /** Values that it keeps in one memory in every mode. */
  default List<Value> oneMemory() {
    return List.of();
  }
}
