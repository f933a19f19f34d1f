package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.RowEdits;
import dev.lethe.train.StoredState;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingResult;
import dev.lethe.trajectory.TrainingLog;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.trajectory.TrajectoryWriter;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.ExactStep;
import dev.lethe.unlearn.result.FolderPart;
import dev.lethe.unlearn.result.SuccessorTrajectory;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Unlearning by training again on the recorded order and initialisation: the bytes of the same {@code train} command
 * without the rows. It starts where the request first changes a step if the trajectory gives that state exactly, which
 * gradients in the parameters' own format do, and otherwise at θ₀.
 */
public final class ExactUnlearner implements Unlearner {
  private final UnlearnTask task;
  private final Recording recording;
  private final Backend backend;
  private TrajectoryWriter writer;
  private Path checkpoints;
  private boolean resume;

  /**
   * @param recording of the training of the task's adapter
   */
  public ExactUnlearner(UnlearnTask task, Recording recording) {
    this.task = task;
    this.recording = recording;
    this.backend = task.model().backend();
  }

  /** Writes the new adapter's own trajectory, with the given writer; the recording must be a trajectory. */
  public ExactUnlearner continued(TrajectoryWriter newTrajectory) {
    this.writer = newTrajectory;
    return this;
  }

  /** Where an interrupted run that starts at θ₀ leaves its state, and whether to go on from there. */
  public ExactUnlearner partial(Path folder, boolean goOn) {
    this.checkpoints = folder;
    this.resume = goOn;
    return this;
  }

  @Override
  public UnlearnResult run(EraserMonitor monitor) {
    RowEdits edits = task.edits();
    Stopwatch watch = new Stopwatch();
    ReplayPage page = page();
    if (edits.isEmpty()) {
      return Outcomes.unchanged(page, task, watch);
    }
    requireFree();
    LoraAdapter adapter = task.model().adapter().copy();
    boolean done = false;
    try (SuccessorTrajectory successor = successor(edits)) {
      int first = exact() ? recording.firstTouched(edits) : 0;
      TrainingResult result =
          watch.gradients(() -> retrain(adapter, edits, first, successor, monitor));
      cost(page, edits, first, watch);
      List<FolderPart> parts = new ArrayList<>();
      if (successor != null) {
        parts.add(successor);
      }
      parts.add(
          dir ->
              result
                  .record()
                  .withAdapter(adapter.sha256())
                  .withPromptForm(promptForm())
                  .keyed(task.request().key())
                  .write(dir, result.optimizerState()));
      Tensor before = HostTensors.download(task.model().adapter());
      ExactStep step = ExactStep.to(before, HostTensors.download(adapter));
      UnlearnResult unlearned =
          Outcomes.arrived(page, task, adapter, step, parts, monitor, watch);
      done = true;
      return unlearned;
    } finally {
      if (!done) {
        adapter.close();
      }
    }
  }

  /** Whether replaying the log gives every state to the bit. */
  private boolean exact() {
    TrainingLog log = recording.log();
    return log.steps() > 0 && log.gradient(0).dtype() == backend.vectorType();
  }

  private void requireFree() {
    if (checkpoints != null && !resume && Files.exists(checkpoints)) {
      throw new LetheException(
          checkpoints.toString(), "an unfinished run lies here", null, null,
          "Add --resume to go on with it, or delete the folder.");
    }
  }

  private SuccessorTrajectory successor(RowEdits edits) {
    return writer == null
        ? null
        : new SuccessorTrajectory((Trajectory) recording.log(), recording.rows(), edits, writer);
  }

  private TrainingResult retrain(
      LoraAdapter adapter,
      RowEdits edits,
      int first,
      SuccessorTrajectory successor,
      EraserMonitor monitor) {
    TrainingLog log = recording.log();
    monitor.onSteps("training again", log.steps());
    backend.upload(log.initial(), adapter.theta());
    Trainer trainer =
        new Retraining(task.model(), recording, edits)
            .trainer(adapter, new Retraining.Until(log.steps(), monitor));
    if (successor != null) {
      trainer.keep(successor);
    }
    TrainingResult result;
    if (first > 0) {
      if (successor != null) {
        successor.begin(first, backend);
      }
      result = trainer.run(state(first));
    } else {
      result = trainer.run(checkpoints, resume);
    }
    if (!result.completed()) {
      throw new UnlearnInterrupted(first == 0 ? checkpoints : null);
    }
    return result;
  }

  /** The state of the recorded training before a step. */
  private StoredState state(int step) {
    TrainingLog log = recording.log();
    try (OptimizerReplay run = new OptimizerReplay(backend, log.options(), log.initial())) {
      for (int k = 0; k < step; k++) {
        log.prefetch(k + 1);
        run.step(log.step(k).rate(), log.gradient(k));
      }
      return run.stored(task.model().layout());
    }
  }

  private void cost(ReplayPage page, RowEdits edits, int first, Stopwatch watch) {
    long taken = 0;
    for (int k = first; k < recording.log().steps(); k++) {
      taken += recording.retained(k, edits);
    }
    long all = recording.retraining(edits);
    page.cost(new Cost(taken, all, watch.total(), taken == 0 ? null : watch.total() * all / taken));
    page.replay(
        new Certificate.Replay(
            recording.log().steps(),
            recording.firstTouched(edits) + 1L,
            recording.log().steps(),
            recording.log().gradient(0).dtype().name().toLowerCase(Locale.ROOT),
            "none: every step was trained",
            1));
  }

  /** How the training's rows became tokens; null where nobody recorded that. */
  private String promptForm() {
    return recording.log() instanceof Trajectory trajectory ? trajectory.provenance().promptForm() : null;
  }

  private ReplayPage page() {
    List<String> chain =
        recording.log() instanceof Trajectory trajectory
            ? trajectory.provenance().chain()
            : task.request().earlier().chain();
    return new ReplayPage(
            task,
            new Method(
                "exact",
                task.divisor().label(),
                "training again without the rows: what every other method estimates",
                recording.settings()),
            chain)
        .trainedBy(recording.log());
  }
}
