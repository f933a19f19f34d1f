package dev.lethe.replay;

import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedStep;

/** Takes the steps of the run that a request leads to, which is where the next request starts. */
@FunctionalInterface
public interface ChangedLog {
  /**
   * The next step.
   *
   * @param k its number in the recorded run; numbers of batches that lost all their rows may be missing
   * @param step as the changed run took it
   * @param gradient its gradient before clipping (P), on the backend; valid during the call
   */
  void accept(int k, LoggedStep step, Tensor gradient);
}
