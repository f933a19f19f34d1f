package dev.lethe.unlearn;

import dev.lethe.solve.SolverMonitor;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.result.Checkpoint;
import java.util.List;
import java.util.Map;

/** Passes one solve's events on, and its state to and from the checkpoint. */
final class EraserSolveMonitor implements SolverMonitor {
  private static final long SAVE_EVERY_NANOS = 1_000_000_000L * Long.getLong("lethe.save.seconds", 30);

  private final EraserMonitor monitor;
  private final Checkpoint checkpoint;
  private final int outerStep;
  private final int maxIterations;
  private final Tensor theta;
  private final List<OuterStep> done;
  private final Stopwatch watch;
  private final Map<String, Tensor> resumed;
  private long saved = System.nanoTime();

  /**
   * @param checkpoint null where no state is kept
   * @param theta host (P) at the start of this outer step
   * @param done the outer steps before
   * @param resumed the state to go on from; empty for a new solve
   */
  EraserSolveMonitor(
      EraserMonitor monitor,
      Checkpoint checkpoint,
      int outerStep,
      int maxIterations,
      Tensor theta,
      List<OuterStep> done,
      Stopwatch watch,
      Map<String, Tensor> resumed) {
    this.monitor = monitor;
    this.checkpoint = checkpoint;
    this.outerStep = outerStep;
    this.maxIterations = maxIterations;
    this.theta = theta;
    this.done = done;
    this.watch = watch;
    this.resumed = resumed;
  }

  @Override
  public void onIteration(int iteration, double residual) {
    monitor.onIteration(outerStep, iteration, maxIterations, residual);
  }

  @Override
  public boolean interrupted() {
    return monitor.interrupted();
  }

  @Override
  public boolean wantsState(int iteration) {
    return checkpoint != null && System.nanoTime() - saved > SAVE_EVERY_NANOS;
  }

  @Override
  public void save(Map<String, Tensor> state) {
    if (checkpoint != null) {
      checkpoint.save(new Checkpoint.State(outerStep, theta, done, state, watch.total()));
      saved = System.nanoTime();
    }
  }

  @Override
  public Map<String, Tensor> load() {
    return resumed;
  }
}
