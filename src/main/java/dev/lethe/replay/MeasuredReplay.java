package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Scope;
import dev.lethe.trajectory.TrainingLog;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * A recorded replay of one request that corrects itself: a first replay by the operator alone, in which the true change
 * of the retained rows' gradient is measured at a few steps; then a second one, to which what the operator missed there
 * is added at every step, smoothed over time and shrunk. The changed rows' gradients are made once.
 */
public final class MeasuredReplay {
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

  /** Told after every step of both replays how many are done; what it throws ends the work. */
  public MeasuredReplay watched(IntConsumer value) {
    this.stepsDone = value;
    return this;
  }

  /** Goes on from where a real retraining left the request; null for none. */
  public MeasuredReplay from(ReplayStart value) {
    this.start = value;
    return this;
  }

  /** Steps of all replays together. */
  public int steps() {
    return (measuredSteps == 0 ? 1 : 2) * log.steps();
  }

  /**
   * Replays the request.
   *
   * @param changed takes the new log; null where it is not wanted
   */
  public Outcome run(ReplayRequest request, ChangedLog changed) {
    if (measuredSteps == 0) {
      Replayed plain = replay(gradients, stepsDone).run(List.of(request), changed);
      return new Outcome(plain, List.of());
    }
    try (KeptChanges kept = new KeptChanges(gradients, backend);
        Scope scope = backend.openScope("measured steps")) {
      Residuals residuals =
          new Residuals(log, rows, request, measuredSteps, gradients, backend, kept);
      Replayed first = replay(kept, stepsDone).probed(residuals).run(List.of(request), null);
      residuals.fit(scope);
      Replayed second =
          replay(kept, done -> stepsDone.accept(log.steps() + done))
              .corrected(residuals)
              .from(start == null ? null : start.twice())
              .run(List.of(request, request), changed);
      return new Outcome(
          total(first, second, residuals), residuals.measurements());
    }
  }

  private RecordedReplay replay(RowGradients rowGradients, IntConsumer watch) {
    return new RecordedReplay(log, rowGradients, operator, backend).watched(watch).from(start);
  }

  /** The account of both replays with the last one's result. */
  private static Replayed total(Replayed first, Replayed second, Residuals residuals) {
    Replayed.Seconds one = first.seconds();
    Replayed.Seconds two = second.seconds();
    return new Replayed(
        second.differences().slice(1, 1),
        first.rowGradients() + residuals.rowGradients(),
        first.firstTouched(),
        new Replayed.Seconds(
            one.gradients() + two.gradients() + residuals.seconds(),
            one.operator() + two.operator(),
            one.optimizer() + two.optimizer()));
  }

  /**
   * What a measured replay came to.
   *
   * @param replayed of one request
   * @param measurements of the operator, in the order of the steps
   */
  public record Outcome(Replayed replayed, List<Measurement> measurements) {
    public Outcome {
      measurements = List.copyOf(measurements);
    }
  }
}
