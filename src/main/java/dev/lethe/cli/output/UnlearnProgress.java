package dev.lethe.cli.output;

import dev.lethe.Text;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.unlearn.EraserMonitor;
import java.util.function.BooleanSupplier;

/** Phases and iterations of unlearning as progress. */
public final class UnlearnProgress implements EraserMonitor, AutoCloseable {
  private final Progress progress;
  private final BooleanSupplier interrupted;
  private final double tolerance;
  private Progress.Task task;

  /**
   * @param interrupted whether somebody wishes to stop
   * @param tolerance that solves aim at
   */
  public UnlearnProgress(Progress progress, BooleanSupplier interrupted, double tolerance) {
    this.progress = progress;
    this.interrupted = interrupted;
    this.tolerance = tolerance;
  }

  @Override
  public void onPhase(String phase, long rows) {
    end();
    task = progress.start(phase, rows, rows > 0 ? "rows" : "iterations", rows > 0 ? 2 : 0);
  }

  @Override
  public void onSteps(String phase, long steps) {
    end();
    task = progress.start(phase, steps, "steps");
  }

  @Override
  public void onRows(long done) {
    task.done(done);
  }

  @Override
  public void onIteration(int outerStep, int iteration, int maxIterations, double residual) {
    task.done(iteration, Text.format("residual %.1e of %.0e", residual, tolerance));
  }

  @Override
  public boolean interrupted() {
    return interrupted.getAsBoolean();
  }

  /** The phase is over. */
  public void end() {
    if (task != null) {
      task.close();
    }
  }

  @Override
  public void close() {
    end();
  }
}
