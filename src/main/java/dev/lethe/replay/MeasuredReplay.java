package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.format.file.TemporaryMemory;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.TrainingLog;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.IntConsumer;

/**
 * A recorded replay of one request that corrects itself. A first replay by the operator alone measures the true
 * change of the retained rows' gradient at a few steps. A second one adds what the operator missed there to every
 * step, smoothed over time and shrunk, and measures at other steps, along its own way. The last one, which is the
 * result, adds what both have found; in the same pass another one adds the same hardly shrunk, for {@link
 * ReplayError}. The changed rows' gradients are made once.
 */
public final class MeasuredReplay {
  /**
   * Vectors that the last replay holds besides a replayed optimiser's and the measured ones: of each of its two streams
   * the parameters, the optimiser's two, the difference, the change, the product, two kept products with their
   * directions, and the correction; the gradient.
   */
  public static final int VECTORS = 23;

  private static final double MIDDLE = 0.5;
  private static final double BEGINNING = 0.02;

  private final TrainingLog log;
  private final List<Sample> rows;
  private final RowGradients gradients;
  private final ReplayOperator operator;
  private final Backend backend;
  private final int measuredSteps;
  private IntConsumer stepsDone = done -> {};
  private ReplayStart start;

  /**
   * @param rows by their places in the log; null for rows that were removed before
   * @param operator stays its owner's
   * @param measuredSteps how many steps are measured; 0 for a plain replay
   */
  public MeasuredReplay(
      TrainingLog log,
      List<Sample> rows,
      RowGradients gradients,
      ReplayOperator operator,
      Backend backend,
      int measuredSteps) {
    this.log = log;
    this.rows = rows;
    this.gradients = gradients;
    this.operator = operator;
    this.backend = backend;
    this.measuredSteps = measuredSteps;
  }

  /** Told after every step of all passes how many are done; what it throws ends the work. */
  public MeasuredReplay watched(IntConsumer value) {
    this.stepsDone = value;
    return this;
  }

  /** Goes on from where a real retraining left the request; null for none. */
  public MeasuredReplay from(ReplayStart value) {
    this.start = value;
    return this;
  }

  /** Steps of all passes over the training together. */
  public int steps() {
    return (measuredSteps == 0 ? 1 : 3) * log.steps();
  }

  /**
   * Replays the request.
   *
   * @param changed takes the new log; null where it is not wanted
   */
  public Outcome run(ReplayRequest request, ChangedLog changed) {
    if (measuredSteps == 0) {
      Replayed plain = replay(gradients, stepsDone).run(List.of(request), changed);
      return new Outcome(plain, null, null, List.of());
    }
    try (RowGradients ahead = gradients.ahead(log, List.of(request));
        TemporaryMemory memory = new TemporaryMemory("lethe-replay");
        Scope scope = backend.openScope("measured steps")) {
      KeptChanges kept = new KeptChanges(ahead, backend, memory);
      Residuals residuals = new Residuals(log, rows, request, gradients, backend, memory);
      residuals.measure(firstSteps(log.steps(), measuredSteps));
      Replayed uncorrected = pass(0, kept, residuals, residuals).run(List.of(request), null);
      residuals.fit(scope);
      residuals.measure(secondSteps(log.steps(), measuredSteps));
      Replayed second = pass(1, kept, residuals, residuals).run(List.of(request), null);
      residuals.fit(scope);
      Replayed last =
          pass(2, kept, residuals.boldAndCareful(), ReplayProbe.NONE).run(List.of(request, request), changed);
      return new Outcome(
          total(List.of(uncorrected, second, last), residuals),
          second.differences(),
          last.differences().slice(0, 1),
          residuals.measurements());
    }
  }

  /**
   * Where a replay measures that is to measure so many of so many steps; it leaves out those before which nothing has
   * changed.
   */
  public static SortedSet<Integer> stepsToMeasure(int steps, int measured) {
    SortedSet<Integer> all = firstSteps(steps, measured);
    all.addAll(secondSteps(steps, measured));
    return all;
  }

  private static SortedSet<Integer> firstSteps(int steps, int measured) {
    return spread(steps, (measured + 1) / 2, MIDDLE, Set.of());
  }

  private static SortedSet<Integer> secondSteps(int steps, int measured) {
    return spread(steps, measured / 2, BEGINNING, firstSteps(steps, measured));
  }

  /** So many steps evenly over the run, at a phase of their intervals; a taken one gives way to the next. */
  private static SortedSet<Integer> spread(
      int steps, int count, double phase, Set<Integer> taken) {
    SortedSet<Integer> chosen = new TreeSet<>();
    for (int j = 0; j < count; j++) {
      int step = Math.max(1, (int) ((j + phase) * steps / count));
      while (step < steps && (taken.contains(step) || chosen.contains(step))) {
        step++;
      }
      if (step < steps) {
        chosen.add(step);
      }
    }
    return chosen;
  }

  private RecordedReplay pass(
      int number, RowGradients kept, StepCorrection correction, ReplayProbe probe) {
    return replay(kept, done -> stepsDone.accept(number * log.steps() + done))
        .corrected(correction)
        .probed(probe);
  }

  private RecordedReplay replay(RowGradients rowGradients, IntConsumer watch) {
    return new RecordedReplay(log, rowGradients, operator, backend).watched(watch).from(start);
  }

  /** The account of all replays with the last one's result: its second row. */
  private static Replayed total(List<Replayed> replays, Residuals residuals) {
    double rowSeconds = residuals.seconds();
    double operatorSeconds = -residuals.seconds();
    double optimizerSeconds = 0;
    for (Replayed each : replays) {
      rowSeconds += each.seconds().gradients();
      operatorSeconds += each.seconds().operator();
      optimizerSeconds += each.seconds().optimizer();
    }
    return new Replayed(
        replays.getLast().differences().slice(1, 1),
        replays.getFirst().rowGradients() + residuals.rowGradients(),
        replays.getFirst().firstTouched(),
        new Replayed.Seconds(rowSeconds, operatorSeconds, optimizerSeconds));
  }

  /**
   * What a measured replay came to.
   *
   * @param replayed of one request
   * @param second the second replay's differences, host (1,P); null where nothing was measured
   * @param bold the differences with a correction that is hardly shrunk, host (1,P); null where nothing was
   *     measured
   * @param measurements of the operator, in the order of the steps
   */
  public record Outcome(
      Replayed replayed, Tensor second, Tensor bold, List<Measurement> measurements) {
    public Outcome {
      measurements = List.copyOf(measurements);
    }

    /**
     * Seconds that a row's gradient takes in training; NaN where none was made. The median of the measured batches, which
     * are as large as training's. Where nothing was measured it is the mean of the changed rows, which come one by one,
     * the first of them before Java has compiled its code.
     */
    public double secondsPerRow() {
      double[] sorted = measurements.stream().mapToDouble(m -> m.seconds() / m.rows()).sorted().toArray();
      return sorted.length == 0 ? replayed.secondsPerRow() : sorted[sorted.length / 2];
    }
  }
}
