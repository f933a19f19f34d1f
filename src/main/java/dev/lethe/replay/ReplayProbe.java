package dev.lethe.replay;

import dev.lethe.tensor.Tensor;

/** Looks at a replay while it runs, and changes nothing. */
@FunctionalInterface
public interface ReplayProbe {
  /** Looks at nothing. */
  ReplayProbe NONE = at -> {};

  /** Called at every step at which a stream has left the trained one. */
  void look(At at);

  /**
   * A step of the replay, before the optimiser's. Tensors are the replay's own.
   *
   * @param step from 0
   * @param theta the trained stream (P)
   * @param thetas the requests' streams (k,P)
   * @param difference thetas − theta (k,P)
   * @param gradient gₖ (P), recorded at theta
   * @param rowsChange what the changed rows alone add to it (k,P)
   * @param estimate what the operator adds to it for the change of the other rows' gradient (k,P)
   */
  record At(
      int step,
      Tensor theta,
      Tensor thetas,
      Tensor difference,
      Tensor gradient,
      Tensor rowsChange,
      Tensor estimate) {}
}
