package dev.lethe.solve;

import dev.lethe.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** Interrupts a solve after an iteration and keeps the state, or goes on from one. */
final class Interruption implements SolverMonitor {
  final Map<String, Tensor> saved = new LinkedHashMap<>();
  private final int stopAt;
  private final Map<String, Tensor> start;
  private int iteration;

  private Interruption(int stopAt, Map<String, Tensor> start) {
    this.stopAt = stopAt;
    this.start = start;
  }

  static Interruption after(int iterations) {
    return new Interruption(iterations, Map.of());
  }

  /** A monitor that starts from a state and does not interrupt. */
  static Interruption resume(Map<String, Tensor> state) {
    return new Interruption(-1, state);
  }

  @Override
  public void onIteration(int iteration, double residual) {
    this.iteration = iteration;
  }

  @Override
  public boolean interrupted() {
    return iteration == stopAt;
  }

  @Override
  public void save(Map<String, Tensor> state) {
    saved.putAll(state);
  }

  @Override
  public Map<String, Tensor> load() {
    return start;
  }
}
