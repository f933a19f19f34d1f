package dev.lethe.unlearn;

import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;

/** A method of unlearning, given a request and all it needs. */
public sealed interface Unlearner
    permits Eraser, ExactUnlearner, RecordedUnlearner, AveragedUnlearner, SisaUnlearner, BaselineUnlearner {
  /**
   * Does it. The model's own adapter is not changed; the caller closes the result.
   *
   * @throws UnlearnInterrupted where the monitor asked for it
   * @throws dev.lethe.LetheException where the request cannot be met this way
   */
  UnlearnResult run(EraserMonitor monitor);
}
