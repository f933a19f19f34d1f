package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.machine.Machine;
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
import java.util.function.Consumer;

/**
 * What a training is asked to leave of its way.
 *
 * @param format of a trajectory's gradients: BF16 or F32
 */
public record TraceChoice(Mode mode, DType format) {
  /** A trajectory in bfloat16 where there is room. */
  public static final TraceChoice USUAL = new TraceChoice(Mode.AUTO, DType.BF16);

  private static final String STATES = "states";
  private static final int VECTORS = 8;

  /** Whether the trajectory is kept. */
  public enum Mode {
    ON,
    /** A few states of the training instead. */
    OFF,
    /** Where it takes at most a quarter of the free disk; otherwise as {@link #OFF}. */
    AUTO,
    /** Neither a trajectory nor states. */
    NOTHING
  }

  /**
   * Decides it, before the training starts.
   *
   * @param rows of the data
   * @param resumed whether the run goes on from a checkpoint
   * @param say takes sentences for people
   * @throws LetheException where there is no room for what was asked, or an unfinished run began otherwise
   */
  TrainingTrace trace(
      RunFolder folder, AdaptedModel model, TrainOptions options, int rows, boolean resumed, Consumer<String> say) {
    if (mode == Mode.NOTHING) {
      return TrainingTrace.none();
    }
    Path work = folder.state().resolve(TrajectoryFiles.FOLDER);
    Path stateWork = folder.state().resolve(STATES);
    TrajectoryWriter writer = new TrajectoryWriter(work, model, format, options.batchSize());
    SavedStates states = new SavedStates(stateWork, options.totalSteps(rows));
    if (resumed) {
      return requireSame(work)
          ? TrainingTrace.of(writer)
          : SavedStates.started(stateWork) ? TrainingTrace.of(states) : TrainingTrace.none();
    }
    long slots = Math.min(rows, (long) options.batchSize() * options.accumulation());
    long parameters = model.layout().size();
    long free = free(folder.target());
    long size =
        TrajectoryFiles.size(options.totalSteps(rows), slots, rows, parameters, format);
    if (keep(size, parameters * VECTORS * Float.BYTES, free, folder, say)) {
      return TrainingTrace.of(writer);
    }
    int vector = model.backend().vectorType().bytes();
    if (2 * SavedStates.size(options, parameters, vector) > free / 4) {
      say.accept("there is no room for states of the training either");
      return TrainingTrace.none();
    }
    return TrainingTrace.of(states);
  }

  /**
   * Whether to keep a trajectory; says so.
   *
   * @param size bytes of the trajectory
   * @param others bytes that the run's other files take
   */
  private boolean keep(long size, long others, long free, RunFolder folder, Consumer<String> say) {
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
      say.accept(
          Text.format(
              "no trajectory is kept: it would take more than a quarter of the free disk (%s);",
              sizes)
              + " --trajectory on keeps it anyway");
      return false;
    }
    say.accept(Text.format("the trajectory goes to %s (about %s)", target, sizes));
    return true;
  }

  /** Whether the run that goes on keeps a trajectory; refuses another choice than it began with. */
  private boolean requireSame(Path work) {
    DType began = TrajectoryWriter.started(work);
    boolean asked = began == null ? mode != Mode.ON : mode != Mode.OFF && began == format;
    if (!asked) {
      throw new LetheException(
          work.getParent().toString(), "the unfinished run began with other options",
          began == null ? "--trajectory off" : words(Mode.ON, began),
          words(mode, format),
          "Resume with the same options, or delete the folder to start anew.");
    }
    return began != null;
  }

  private static String words(Mode mode, DType format) {
    return Text.format(
        "--trajectory %s --trajectory-dtype %s",
        mode.name().toLowerCase(Locale.ROOT), format.name().toLowerCase(Locale.ROOT));
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
