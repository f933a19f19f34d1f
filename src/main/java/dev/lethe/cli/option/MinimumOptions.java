package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.session.InterruptedRun;
import dev.lethe.solve.LevenbergMarquardt;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.MinimumRecord;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Bringing a trained adapter to a minimum, where influence theory holds. */
public final class MinimumOptions {
  private static final int MAX_STEPS = 200;

  @Option(
      names = "--to-minimum",
      paramLabel = "NORM",
      description =
          "after the last step, go on to a minimum of loss + L2/2*|theta|^2 until its gradient norm"
              + " is at most this: there unlearning comes closest to training again")
  Double toMinimum;

  @Option(
      names = "--l2",
      paramLabel = "W",
      defaultValue = "1e-3",
      description = "the weight decay of that objective (default: ${DEFAULT-VALUE})")
  double l2;

  public void check(LetheCommand command) {
    command.require(
        toMinimum == null || toMinimum > 0 && Double.isFinite(toMinimum),
        "--to-minimum is a gradient norm above 0", toMinimum);
    SolveOptions.requireWeightDecay(command, l2);
  }

  /** Whether a minimum is asked for. */
  public boolean asked() {
    return toMinimum != null;
  }

  /**
   * Minimises where that was asked.
   *
   * @param resumable whether the run before it left a state, for the message when interrupted
   */
  public Optional<Reached> reach(
      LetheCommand command, DatasetLoss loss, Tensor theta, boolean resumable) {
    if (toMinimum == null) {
      return Optional.empty();
    }
    LevenbergMarquardt.Result result;
    try (Progress.Task task = command.progress().start("to the minimum", 0, "steps")) {
      LevenbergMarquardt minimiser =
          new LevenbergMarquardt(
              loss,
              LevenbergMarquardt.Options.of(l2, toMinimum, MAX_STEPS),
              MemoryBudget.automatic(loss.model().backend()));
      result = minimiser.minimise(theta, new Watch(command, task));
    }
    if (command.console.interrupt().requested() && !result.converged()) {
      throw new InterruptedRun(
          "interrupted on the way to the minimum. Run the same command again"
              + (resumable ? " with --resume." : "."));
    }
    return Optional.of(
        new Reached(
            new MinimumRecord(
                l2, result.objective(), result.gradientNorm(), result.converged(), result.steps()),
            result.stop()));
  }

  /**
   * Where a minimisation came to.
   *
   * @param stop why it ended, in words
   */
  public record Reached(MinimumRecord record, String stop) {
    public String toText() {
      return Text.format(
          "%s: gradient norm %.2e of loss + %s/2*|theta|^2 after %d Newton steps (%s)",
          record.converged() ? "at a minimum" : "not at a minimum",
          record.gradientNorm(),
          record.l2(),
          record.steps(),
          stop);
    }
  }

  private record Watch(LetheCommand command, Progress.Task task)
      implements LevenbergMarquardt.Monitor {
    @Override
    public void onStep(
        int step, double objective, double norm, double damping, boolean accepted) {
      task.done(step, Text.format("objective %.6f, gradient norm %.1e", objective, norm));
    }

    @Override
    public boolean interrupted() {
      return command.console.interrupt().requested();
    }
  }
}
