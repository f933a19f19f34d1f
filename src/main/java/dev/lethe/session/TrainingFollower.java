package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.RowDigest;
import dev.lethe.data.Sample;
import dev.lethe.format.file.OutputName;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparationSize;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.session.machine.Machine;
import dev.lethe.session.machine.Work;
import dev.lethe.train.SavedStates;
import dev.lethe.train.TrainingRecord;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.trajectory.TrajectoryFiles;
import dev.lethe.trajectory.TrajectoryWriter;
import dev.lethe.unlearn.AveragedUnlearner;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.ExactUnlearner;
import dev.lethe.unlearn.RecordedUnlearner;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.recording.ReplayOptions;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.SuccessorOperators;
import dev.lethe.unlearn.result.UnlearnResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Unlearning by the methods that follow the training of an adapter's folder: opens what the training left there, and
 * prepares what they need.
 */
public final class TrainingFollower implements AutoCloseable {
  private final Path adapterDir;
  private final AdaptedModel model;
  private final RunFolder folder;
  private final boolean continued;
  private final Trajectory trajectory;

  /**
   * @param adapterDir the folder of the model's adapter; its trajectory may be missing where the method is content with
   *     states of the training
   * @param folder of the result, which takes the work
   * @param continued whether the new adapter gets a trajectory, which the next request needs
   */
  public TrainingFollower(
      Path adapterDir, AdaptedModel model, RunFolder folder, boolean continued) {
    this.continued = continued;
    this.adapterDir = adapterDir;
    this.model = model;
    this.folder = folder;
    this.trajectory = Trajectory.exists(adapterDir) ? Trajectory.open(adapterDir, model) : null;
  }

  /**
   * What it takes, one kind of work after another.
   *
   * @param operators where those of recorded replay are kept; null for the adapter's folder
   * @param replay how it is done; null: the training is done again
   */
  public List<Work> work(Path operators, ReplayOptions replay) {
    int batch = IntStream.range(0, trajectory.steps()).map(k -> trajectory.step(k).rows().length).max().orElse(1);
    if (replay == null) {
      return List.of(Work.again("exact", batch, 1));
    }
    PreparationSize size = PreparationSize.usual(trajectory.steps(), batch);
    Work recorded = Work.recorded(size, replay.measuredSteps(trajectory.steps(), trajectory.steps()));
    boolean prepared = Files.exists(operators == null ? PreparedOperators.folder(adapterDir) : operators);
    return prepared ? List.of(recorded) : List.of(Work.prepare(size), recorded);
  }

  /** Refuses ids that an earlier request removed. */
  public void requireNotRemoved(List<String> ids) {
    if (trajectory != null) {
      trajectory.requireNotRemoved(ids);
    }
  }

  /**
   * Recorded replay; prepares the operators where that was not done.
   *
   * @param promptForm how the rows became tokens, in words
   * @param operators where they are kept; null for the adapter's folder
   */
  public UnlearnResult recorded(
      UnlearnTask task,
      String promptForm,
      Path operators,
      ReplayOptions replay,
      EraserMonitor monitor) {
    Recording recording = Recording.of(trajectory, task.request().data(), promptForm);
    Path dir = operators == null ? PreparedOperators.folder(adapterDir) : operators;
    prepare(dir, recording.rows(), task, monitor);
    try (PreparedOperators prepared = PreparedOperators.open(dir, trajectory, model)) {
      try (ReplayOperator operator = prepared.operator(replay.operatorEvery())) {
        RecordedUnlearner unlearner = new RecordedUnlearner(task, recording, operator, replay);
        if (continued) {
          unlearner.continued(writer());
          unlearner.with(new SuccessorOperators(dir, trajectory, model));
        }
        return unlearner.run(monitor);
      }
    }
  }

  /** Training again; {@code resume} goes on with an interrupted run. */
  public UnlearnResult exact(
      UnlearnTask task, String promptForm, boolean resume, EraserMonitor monitor) {
    Recording recording = Recording.of(trajectory, task.request().data(), promptForm);
    ExactUnlearner unlearner =
        new ExactUnlearner(task, recording).partial(folder.state().resolve("training"), resume);
    if (continued) {
      unlearner.continued(writer());
    }
    return unlearner.run(monitor);
  }

  /** One step from averages over the training. */
  public UnlearnResult averaged(UnlearnTask task, String promptForm, EraserMonitor monitor) {
    if (trajectory != null) {
      Recording recording = Recording.of(trajectory, task.request().data(), promptForm);
      return AveragedUnlearner.of(task, recording).run(monitor);
    }
    TrainingRecord record =
        TrainingRecord.read(adapterDir)
            .filter(r -> r.match(task.request().data()) == RowDigest.Match.SAME)
            .filter(r -> r.edits().equals(TrainingRecord.Edits.NONE))
            .orElseThrow(
                () ->
                    new LetheException(
                        adapterDir.resolve(TrainingRecord.FILE).toString(),
                        "the record does not belong to these rows",
                        "the record of a training on all of them, in this order",
                        "none, or another",
                        "Give the data file that this adapter was trained on."));
    try (SavedStates.Reader states = SavedStates.open(adapterDir)) {
      return AveragedUnlearner.of(task, record.options(), states).run(monitor);
    }
  }

  private TrajectoryWriter writer() {
    requireRoom();
    return new TrajectoryWriter(
        folder.state().resolve(TrajectoryFiles.FOLDER),
        model,
        trajectory.dtype(),
        trajectory.options().batchSize());
  }

  private void requireRoom() {
    long slots = trajectory.steps() == 0 ? 0 : trajectory.step(0).rows().length;
    long size =
        TrajectoryFiles.size(
            trajectory.steps(),
            slots,
            trajectory.rows().size(),
            model.layout().size(),
            trajectory.dtype());
    Path parent = folder.target().getParent();
    try {
      Files.createDirectories(parent);
      long free = Files.getFileStore(parent).getUsableSpace();
      if (size > free) {
        throw new LetheException(
            parent.toString(),
            "there is no room for the new adapter's trajectory",
            Machine.bytes(size),
            Machine.bytes(free) + " free",
            "Make room, choose another disk for --out, or pass --trajectory off.");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void prepare(Path dir, List<Sample> rows, UnlearnTask task, EraserMonitor monitor) {
    Preparation preparation =
        new Preparation(
            dir,
            trajectory,
            model,
            rows,
            null,
            task.measuring().limits());
    if (preparation.complete()) {
      return;
    }
    boolean complete;
    try (OutputName name = OutputName.hold(dir)) {
      complete = preparation.run(new Preparing(monitor));
    }
    if (!complete) {
      throw new InterruptedRun(
          Text.format(
              "interrupted while operators were prepared; what was finished is in %s. Run the same command again.",
              dir));
    }
  }

  @Override
  public void close() {
    if (trajectory != null) {
      trajectory.close();
    }
  }

  /** Shows a preparation as a phase of the unlearning. */
  private static final class Preparing implements PreparationMonitor {
    private final EraserMonitor monitor;
    private boolean begun;

    Preparing(EraserMonitor monitor) {
      this.monitor = monitor;
    }

    @Override
    public void onProgress(long samples, long total) {
      if (!begun) {
        monitor.onPhase("prepare", total);
        begun = true;
      }
      monitor.onRows(samples);
    }

    @Override
    public boolean interrupted() {
      return monitor.interrupted();
    }
  }
}
