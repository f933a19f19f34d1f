package dev.lethe.replay;

import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedStep;

/** Takes the steps of the run that a request leads to, which is where the next request starts. */
@FunctionalInterface
public interface ChangedLog {
  /**
   * The next step.
   *
   * @param step as the changed run took it
   * @param gradient its gradient before clipping (P), on the backend; valid during the call
   */
  void accept(LoggedStep step, Tensor gradient);
}
