package dev.lethe.cli.option;

import dev.lethe.LetheException;
import dev.lethe.session.TraceChoice;
import dev.lethe.trajectory.TrajectoryFiles;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Option;

/** Whether training leaves its trajectory, which recorded replay needs. */
public final class TrajectoryOptions {
  private static final Map<String, TraceChoice.Mode> MODES =
      Map.of("on", TraceChoice.Mode.ON, "off", TraceChoice.Mode.OFF, "auto", TraceChoice.Mode.AUTO);

  @Option(
      names = "--trajectory",
      paramLabel = "MODE",
      defaultValue = "auto",
      description =
          "keep every step's gradient for recorded replay: on, off, or auto, where it takes at most a"
              + " quarter of the free disk (default: ${DEFAULT-VALUE})")
  private String trajectory;

  @Option(
      names = "--trajectory-dtype",
      paramLabel = "T",
      defaultValue = "bf16",
      description = "number format of these gradients: bf16 or f32 (default: ${DEFAULT-VALUE})")
  private String dtype;

  /** Refuses what cannot be meant. */
  public void check(LetheCommand command, boolean toMinimum) {
    command.option("--trajectory-dtype", () -> TrajectoryFiles.dtype(dtype, "the format"));
    if (mode(command) == TraceChoice.Mode.ON && toMinimum) {
      throw new LetheException(
          "--trajectory on", "a trajectory does not lead to the minimum of --to-minimum",
          "one of the two", "both",
          "Omit --to-minimum for recorded replay, or train with --trajectory off.");
    }
  }

  /** What the training is to leave; nothing where it goes on to a minimum, which is said. */
  public TraceChoice choice(LetheCommand command, boolean toMinimum) {
    TraceChoice.Mode mode = mode(command);
    if (toMinimum && mode == TraceChoice.Mode.AUTO) {
      command.say("no trajectory is kept, because --to-minimum moves the adapter off its end");
    }
    return new TraceChoice(
        toMinimum ? TraceChoice.Mode.NOTHING : mode, TrajectoryFiles.dtype(dtype, "--trajectory-dtype"));
  }

  private TraceChoice.Mode mode(LetheCommand command) {
    TraceChoice.Mode mode = MODES.get(trajectory.toLowerCase(Locale.ROOT));
    if (mode == null) {
      throw command.usage("--trajectory is on, off or auto, got " + trajectory);
    }
    return mode;
  }
}
