package dev.lethe.cli;

import dev.lethe.format.AtomicFiles;
import dev.lethe.format.StrictJson;
import dev.lethe.influence.DatasetLoss;
import dev.lethe.influence.LevenbergMarquardt;
import dev.lethe.influence.MemoryBudget;
import dev.lethe.run.InterruptedRun;
import dev.lethe.run.Progress;
import dev.lethe.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** Bringing a trained adapter to a minimum, where influence theory holds. */
final class MinimumOptions {
  private static final String FILE = "lethe_minimum.json";
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

  void check(LetheCommand command) {
    if (toMinimum != null && !(toMinimum > 0)) {
      throw command.usage("--to-minimum is a gradient norm above 0, got " + toMinimum);
    }
    if (!(l2 >= 0)) {
      throw command.usage("--l2 must not be negative, got " + l2);
    }
  }

  /** Whether a minimum is asked for. */
  boolean asked() {
    return toMinimum != null;
  }

  /** The L2 weight of the objective that an adapter is a minimum of, if its folder says so. */
  static Optional<Double> recordedL2(Path adapterDir) {
    Path file = adapterDir.resolve(FILE);
    return Files.exists(file)
        ? Optional.of(StrictJson.readObject(file, 1 << 20).path("l2").asDouble(0))
        : Optional.empty();
  }

  /**
   * Minimises where that was asked.
   *
   * @param resumable whether the run before it left a state, for the message when interrupted
   */
  Optional<Reached> reach(
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
    return Optional.of(new Reached(l2, result));
  }

  /**
   * Where a minimisation came to.
   *
   * @param l2 of its objective
   */
  record Reached(double l2, LevenbergMarquardt.Result result) {
    /** Leaves a note beside the adapter, which unlearning reads. */
    void write(Path dir) {
      ObjectNode json = StrictJson.newObject();
      addTo(json);
      AtomicFiles.writeText(dir.resolve(FILE), StrictJson.write(json));
    }

    void addTo(ObjectNode json) {
      json.put("l2", l2)
          .put("objective", result.objective())
          .put("gradient_norm", result.gradientNorm())
          .put("converged", result.converged())
          .put("newton_steps", result.steps());
    }

    String toText() {
      return "%s: gradient norm %.2e of loss + %s/2*|theta|^2 after %d Newton steps (%s)"
          .formatted(
              result.converged() ? "at a minimum" : "not at a minimum",
              result.gradientNorm(),
              l2,
              result.steps(),
              result.stop());
    }
  }

  private record Watch(LetheCommand command, Progress.Task task)
      implements LevenbergMarquardt.Monitor {
    @Override
    public void onStep(
        int step, double objective, double norm, double damping, boolean accepted) {
      task.done(step, "objective %.6f, gradient norm %.1e".formatted(objective, norm));
    }

    @Override
    public boolean interrupted() {
      return command.console.interrupt().requested();
    }
  }
}
