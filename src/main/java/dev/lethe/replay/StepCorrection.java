package dev.lethe.replay;

import dev.lethe.tensor.Tensor;

/** Adds to what the operator says of a step. */
@FunctionalInterface
interface StepCorrection {
  /** Adds nothing. */
  StepCorrection NONE = (step, difference, estimate) -> {};

  /**
   * @param step from 0
   * @param difference θ′ − θ of every stream (k,P)
   * @param estimate of the change of the retained rows' gradient (k,P), added to
   */
  void add(int step, Tensor difference, Tensor estimate);
}
