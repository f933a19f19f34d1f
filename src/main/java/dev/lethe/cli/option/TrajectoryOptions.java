package dev.lethe.cli.option;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Machine;
import dev.lethe.session.RunFolder;
import dev.lethe.tensor.DType;
import dev.lethe.train.SavedStates;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.TrajectoryFiles;
import dev.lethe.trajectory.TrajectoryWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Option;

/** Whether training leaves its trajectory, which recorded replay needs. */
public final class TrajectoryOptions {
  private static final String STATES = "states";
  private static final int VECTORS = 8;

  private enum Mode {
    ON,
    OFF,
    AUTO
  }

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
    if (mode(command) == Mode.ON && toMinimum) {
      throw new LetheException(
          "--trajectory on", "a trajectory does not lead to the minimum of --to-minimum",
          "one of the two", "both",
          "Omit --to-minimum for recorded replay, or train with --trajectory off.");
    }
  }

  /**
   * Decides what a training leaves, before it starts.
   *
   * @param rows of the data
   * @param resumed whether the run goes on from a checkpoint
   */
  public TrainingTrace trace(
      LetheCommand command,
      RunFolder folder,
      AdaptedModel model,
      TrainOptions options,
      int rows,
      boolean toMinimum,
      boolean resumed) {
    Mode mode = mode(command);
    DType format = TrajectoryFiles.dtype(dtype, "--trajectory-dtype");
    if (toMinimum) {
      if (mode == Mode.AUTO) {
        say(command, "no trajectory is kept, because --to-minimum moves the adapter off its end");
      }
      return TrainingTrace.none();
    }
    Path work = folder.state().resolve(TrajectoryFiles.FOLDER);
    Path stateWork = folder.state().resolve(STATES);
    TrajectoryWriter writer = new TrajectoryWriter(work, model, format, options.batchSize());
    SavedStates states = new SavedStates(stateWork, options.totalSteps(rows));
    if (resumed) {
      return requireSame(mode, format, work)
          ? TrainingTrace.of(writer)
          : SavedStates.started(stateWork) ? TrainingTrace.of(states) : TrainingTrace.none();
    }
    long slots = Math.min(rows, (long) options.batchSize() * options.accumulation());
    long parameters = model.layout().size();
    long free = free(folder.target());
    long size =
        TrajectoryFiles.size(options.totalSteps(rows), slots, rows, parameters, format);
    if (keep(command, mode, size, parameters * VECTORS * Float.BYTES, free, folder)) {
      return TrainingTrace.of(writer);
    }
    int vector = model.backend().vectorType().bytes();
    if (2 * SavedStates.size(options, parameters, vector) > free / 4) {
      say(command, "there is no room for states of the training either");
      return TrainingTrace.none();
    }
    return TrainingTrace.of(states);
  }

  private Mode mode(LetheCommand command) {
    try {
      return Mode.valueOf(trajectory.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw command.usage("--trajectory is on, off or auto, got " + trajectory);
    }
  }

  /**
   * Whether to keep a trajectory; says so.
   *
   * @param size bytes of the trajectory
   * @param others bytes that the run's other files take
   */
  private static boolean keep(
      LetheCommand command, Mode mode, long size, long others, long free, RunFolder folder) {
    if (mode == Mode.OFF) {
      return false;
    }
    Path target = TrajectoryFiles.folder(folder.target());
    String sizes = Text.format("%s, %s free", Machine.bytes(size), Machine.bytes(free));
    if (mode == Mode.ON && (size > free || size + others > free)) {
      throw new LetheException(
          target.toString(), "there is no room for the trajectory",
          "about " + Machine.bytes(size), Machine.bytes(free) + " free",
          "Make room, choose another disk for --out, or train with --trajectory off.");
    }
    if (mode == Mode.AUTO && size > free / 4) {
      say(
          command,
          Text.format(
              "no trajectory is kept: it would take more than a quarter of the free disk (%s);",
              sizes)
              + " --trajectory on keeps it anyway");
      return false;
    }
    say(command, Text.format("the trajectory goes to %s (about %s)", target, sizes));
    return true;
  }

  /** Whether the run that goes on keeps a trajectory; refuses other options than it began with. */
  private static boolean requireSame(Mode mode, DType format, Path work) {
    DType began = TrajectoryWriter.started(work);
    boolean asked = began == null ? mode != Mode.ON : mode != Mode.OFF && began == format;
    if (!asked) {
      throw new LetheException(
          work.getParent().toString(), "the unfinished run began with other options",
          began == null
              ? "--trajectory off"
              : "--trajectory on --trajectory-dtype " + began.name().toLowerCase(Locale.ROOT),
          Text.format(
              "--trajectory %s --trajectory-dtype %s",
              mode.name().toLowerCase(Locale.ROOT), format.name().toLowerCase(Locale.ROOT)),
          "Resume with the same options, or delete the folder to start anew.");
    }
    return began != null;
  }

  private static void say(LetheCommand command, String words) {
    if (!command.output.quiet) {
      command.console.err().println("lethe: " + words);
    }
  }

  private static long free(Path target) {
    for (Path at = target.getParent(); at != null; at = at.getParent()) {
      if (Files.isDirectory(at)) {
        try {
          return Files.getFileStore(at).getUsableSpace();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    return 0;
  }
}
