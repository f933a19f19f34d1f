package dev.lethe.solve;

import dev.lethe.tensor.Tensor;
import java.util.Map;

/**
 * Watches a solve, stops it, and keeps its state. State is a map of host tensors that the caller
 * may write with safetensors; a solve that is given it back continues to the bytes that it would
 * have reached uninterrupted.
 */
public interface SolverMonitor {
  /** Watches nothing. */
  SolverMonitor NONE = new SolverMonitor() {};

  /**
   * Called after every iteration.
   *
   * @param residual the solver's own estimate of ‖(C+λI)x − b‖/‖b‖
   */
  default void onIteration(int iteration, double residual) {}

  /**
   * Called where many systems are solved, after one or after a block of them.
   *
   * @param systems how many are done in all
   */
  default void onSolved(int systems) {}

  /**
   * Asked after every iteration; true ends the solve with {@link StopReason#INTERRUPTED}. Unless told otherwise, an
   * interrupt of the solving thread does that.
   */
  default boolean interrupted() {
    return Thread.currentThread().isInterrupted();
  }

  /** Asked after every iteration: whether to call {@link #save} now. */
  default boolean wantsState(int iteration) {
    return false;
  }

  /** Takes the state after an iteration; always called before an interrupted solve returns. */
  default void save(Map<String, Tensor> state) {}

  /** Asked once at the start: the state to continue from; empty for a new solve. */
  default Map<String, Tensor> load() {
    return Map.of();
  }
}
