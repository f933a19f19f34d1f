package dev.lethe.unlearn;

import dev.lethe.unlearn.result.UnlearnInterrupted;

/** Watches an {@link Unlearner} at work and may stop it. */
public interface EraserMonitor {
  /** Watches nothing. */
  EraserMonitor NONE = new EraserMonitor() {};

  /**
   * Called when a part of the work begins.
   *
   * @param phase what it is, in words for people
   * @param rows how many rows {@link #onRows} will count; 0 where it will not be called
   */
  default void onPhase(String phase, long rows) {}

  /** Called now and then while a part of the work goes over rows, with how many are done. */
  default void onRows(long done) {}

  /** As {@link #onPhase} where what is counted are steps of a training. */
  default void onSteps(String phase, long steps) {
    onPhase(phase, steps);
  }

  /**
   * Called after every iteration of a solver.
   *
   * @param outerStep from 1
   * @param residual the solver's own estimate of ‖(C+λI)Δ − b‖/‖b‖
   */
  default void onIteration(int outerStep, int iteration, int maxIterations, double residual) {}

  /**
   * Asked often; true ends the run with {@link UnlearnInterrupted}. Unless told otherwise, an interrupt of the working
   * thread does that.
   */
  default boolean interrupted() {
    return Thread.currentThread().isInterrupted();
  }
}
