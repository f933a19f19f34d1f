package dev.lethe.replay;

import dev.lethe.tensor.Tensor;

/** Looks at a replay while it runs, and changes nothing. */
public interface ReplayProbe {
  /** Looks at nothing. */
  ReplayProbe NONE = at -> {};

  /** Called at every step at which a stream has left the trained one. */
  void look(At at);

  /**
   * A step of the replay, before the optimiser's.
   *
   * @param step from 0
   * @param theta the trained stream (P)
   * @param thetas the requests' streams (k,P)
   * @param difference thetas − theta (k,P)
   * @param product the operator's estimate C·difference (k,P)
   */
  record At(int step, Tensor theta, Tensor thetas, Tensor difference, Tensor product) {}
}
