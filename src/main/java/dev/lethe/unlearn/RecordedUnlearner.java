package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.replay.ModelGradients;
import dev.lethe.replay.RecordedReplay;
import dev.lethe.replay.ReplayRequest;
import dev.lethe.replay.ReplayStart;
import dev.lethe.replay.Replayed;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.RowEdits;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.trajectory.TrajectoryWriter;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.certificate.Certificate.Closure;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.CertificateParts;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.recording.ReplayOptions;
import dev.lethe.unlearn.recording.ReplaySteps;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.FolderPart;
import dev.lethe.unlearn.result.SuccessorTrajectory;
import dev.lethe.unlearn.result.UnlearnResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Unlearning by recorded replay: the adapter moves by what the training's replay without the rows differs from its
 * replay with them. See {@link RecordedReplay}.
 */
public final class RecordedUnlearner implements Unlearner {
  private static final String WORTH =
      "the recorded training replayed without the rows: nearer to retraining than any estimate from the training's end";

  /** The largest step, in sizes of the adapter. */
  private static final double MOST_ADAPTERS = 2;

  private final UnlearnTask task;
  private final Recording recording;
  private final ReplayOperator operator;
  private final ReplayOptions options;
  private final Backend backend;
  private final List<FolderPart> parts = new ArrayList<>();
  private TrajectoryWriter writer;

  /**
   * @param recording of the training of the task's adapter
   * @param operator prepared for that training; stays its owner's
   */
  public RecordedUnlearner(
      UnlearnTask task, Recording recording, ReplayOperator operator, ReplayOptions options) {
    this.task = task;
    this.recording = recording;
    this.operator = operator;
    this.options = options;
    this.backend = task.model().backend();
  }

  /** Writes the new adapter's own trajectory, with the given writer; the recording must be a trajectory. */
  public RecordedUnlearner continued(TrajectoryWriter newTrajectory) {
    this.writer = newTrajectory;
    return this;
  }

  /** Something else that belongs into the new folder. */
  public RecordedUnlearner with(FolderPart part) {
    parts.add(part);
    return this;
  }

  @Override
  public UnlearnResult run(EraserMonitor monitor) {
    RowEdits edits = task.edits();
    Stopwatch watch = new Stopwatch();
    if (edits.isEmpty()) {
      return Outcomes.unchanged(page(), task, watch);
    }
    ReplaySteps steps = ReplaySteps.of(recording, edits, options);
    int head = steps.head();
    if (head >= recording.log().steps()) {
      throw new LetheException(
          "exact head", "it is the whole training", "a part of it", "1", "Use --method exact.");
    }
    try (SuccessorTrajectory successor = successor(edits)) {
      ReplayStart start = head == 0 ? null : head(edits, head, successor, monitor, watch);
      if (successor != null && start == null) {
        successor.begin(0, backend);
      }
      MeasuredReplay.Outcome outcome = replay(edits, steps.measured(), start, successor, monitor, watch);
      return finish(edits, head, outcome, successor, monitor, watch);
    }
  }

  private MeasuredReplay.Outcome replay(
      RowEdits edits,
      int measured,
      ReplayStart start,
      SuccessorTrajectory successor,
      EraserMonitor monitor,
      Stopwatch watch) {
    MeasuredReplay replay =
        new MeasuredReplay(
                recording.log(), recording.rows(), gradients(), operator, backend, measured)
            .from(start)
            .watched(done -> Outcomes.done(monitor, done));
    Outcomes.stopIfAsked(monitor);
    monitor.onSteps("replay of the training", replay.steps());
    return watch.products(() -> replay.run(recording.request(edits), successor));
  }

  private ModelGradients gradients() {
    return new ModelGradients(
        task.model(), recording.log().options(), task.measuring().limits());
  }

  /**
   * Several requests to the same adapter in one pass over its training, each on its own: {@code n} new adapters. No new
   * trajectories are written, no head is retrained, and the operator is neither measured nor corrected.
   *
   * @return as many results as requests, in their order; the caller closes them
   */
  public List<UnlearnResult> runAll(List<UnlearnRequest> requests, EraserMonitor monitor) {
    List<UnlearnTask> tasks = requests.stream().map(task::with).toList();
    List<ReplayRequest> columns =
        tasks.stream().map(each -> recording.request(each.edits())).toList();
    Stopwatch watch = new Stopwatch();
    Outcomes.stopIfAsked(monitor);
    monitor.onSteps("replay of the training", recording.log().steps());
    RecordedReplay replay =
        new RecordedReplay(recording.log(), gradients(), operator, backend)
            .watched(done -> Outcomes.done(monitor, done));
    Replayed replayed = watch.products(() -> replay.run(columns, null));
    List<UnlearnResult> results = new ArrayList<>();
    for (int j = 0; j < requests.size(); j++) {
      UnlearnTask each = tasks.get(j);
      RowEdits edits = each.edits();
      ReplayPage page = new ReplayPage(each, method(), chain()).trainedBy(recording.log());
      page.replay(describe(0, replayed.firstTouched()));
      page.cost(cost(replayed.rowGradients(), replayed.secondsPerRow(), edits, watch));
      page.note("made together with %,d other requests: cost and seconds are those of all", requests.size() - 1);
      results.add(
          Outcomes.moved(page, each, replayed.differences().row(j), List.of(), monitor, watch));
    }
    return results;
  }

  private SuccessorTrajectory successor(RowEdits edits) {
    return writer == null
        ? null
        : new SuccessorTrajectory((Trajectory) recording.log(), recording.rows(), edits, writer);
  }

  private ReplayStart head(
      RowEdits edits, int steps, SuccessorTrajectory successor, EraserMonitor monitor, Stopwatch watch) {
    Outcomes.stopIfAsked(monitor);
    monitor.onSteps("retraining of the first steps", steps);
    return watch.gradients(
        () -> new Retraining(task.model(), recording, edits).head(steps, successor, monitor));
  }

  private UnlearnResult finish(
      RowEdits edits,
      int head,
      MeasuredReplay.Outcome outcome,
      SuccessorTrajectory successor,
      EraserMonitor monitor,
      Stopwatch watch) {
    Replayed replayed = outcome.replayed();
    long taken = replayed.rowGradients();
    for (int k = 0; k < head; k++) {
      taken += recording.retained(k, edits);
    }
    ReplayPage page = page();
    page.replay(describe(head, replayed.firstTouched()));
    ClosureEstimate estimate = new ClosureEstimate(task);
    Closure closure = watch.evaluation(() -> estimate.of(outcome));
    estimate.requireUseful(closure, options.force());
    page.closure(closure);
    judgeSize(page, replayed.differences().row(0));
    if (closure != null && closure.points().stream().anyMatch(point -> point.error() == null)) {
      page.note(
          "at a measured step the retained rows' gradient does not change, so the operator's error there, a ratio to"
              + " that change, is null");
    }
    page.cost(cost(taken, outcome.secondsPerRow(), edits, watch));
    List<FolderPart> all = new ArrayList<>(parts);
    if (successor != null) {
      all.addFirst(successor);
    }
    return Outcomes.moved(page, task, replayed.differences().row(0), all, monitor, watch);
  }

  /**
   * Refuses a step that is larger than any removal can be: a retrained adapter may shrink to nothing, but a step of several
   * adapters means that the replay diverged, which its own measurements, taken along it, need not show.
   */
  private void judgeSize(ReplayPage page, Tensor difference) {
    Backend backend = task.model().backend();
    try (Scope scope = backend.openScope("size of the step")) {
      Tensor start = task.model().adapter().theta();
      Tensor end = scope.allocate(backend.vectorType(), difference.elements());
      backend.upload(difference, end);
      backend.vectors().axpy(1, start, end);
      Certificate.Weights weights = CertificateParts.weights(task.model(), start, end);
      if (weights.step() <= MOST_ADAPTERS * weights.adapter()) {
        return;
      }
      String sizes = Text.format("%.3g, and the adapter is %.3g", weights.step(), weights.adapter());
      if (!options.force()) {
        throw new LetheException(
            "recorded replay", "it diverged: its step is larger than the adapter that it changes",
            Text.format("at most %.0f adapters in ‖ΔW‖", MOST_ADAPTERS), sizes,
            "Use --method exact, or retrain most of the training's head (--exact-head 0.8).");
      }
      page.warn("the replay diverged: its step in ‖ΔW‖ is %s", sizes);
    }
  }

  private Cost cost(long taken, double secondsPerRow, RowEdits edits, Stopwatch watch) {
    long retraining = recording.retraining(edits);
    return new Cost(
        taken, retraining, watch.total(), Double.isNaN(secondsPerRow) ? null : retraining * secondsPerRow);
  }

  private ReplayPage page() {
    return new ReplayPage(task, method(), chain()).trainedBy(recording.log());
  }

  private Method method() {
    return new Method("recorded", task.divisor().label(), WORTH, recording.settings());
  }

  private List<String> chain() {
    return recording.log() instanceof Trajectory trajectory
        ? trajectory.provenance().chain()
        : task.request().earlier().chain();
  }

  private Certificate.Replay describe(int head, int firstTouched) {
    String format =
        recording.log() instanceof Trajectory trajectory
            ? trajectory.dtype().name().toLowerCase(Locale.ROOT)
            : recording.log().gradient(0).dtype().name().toLowerCase(Locale.ROOT);
    return new Certificate.Replay(
        recording.log().steps(),
        firstTouched + 1L,
        head,
        format,
        operator.name(),
        options.operatorEvery());
  }
}
