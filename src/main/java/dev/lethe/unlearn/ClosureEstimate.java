package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.replay.Predictions;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.Certificate.Closure;
import dev.lethe.unlearn.Certificate.Point;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * How much of the distance to retraining a measured replay closes. What was measured is added shrunk to a share s of a
 * steady error, so that the correction from the uncorrected replay u to the corrected one c points to retraining at
 * u + (c − u)/s; divergences grow with the square of the distance. With o the old adapter,
 *
 * <pre>
 * closed = 1 − ((1 − s)/s)² KL(c‖u) / KL(c‖o)
 * </pre>
 *
 * on the requested rows and on a few drawn retained ones.
 */
final class ClosureEstimate {
  private static final int RETAINED = 16;

  private final UnlearnTask task;
  private final Backend backend;

  ClosureEstimate(UnlearnTask task) {
    this.task = task;
    this.backend = task.model().backend();
  }

  /** What the certificate says; null where nothing was measured. */
  Closure of(MeasuredReplay.Outcome outcome) {
    if (outcome.measurements().isEmpty()) {
      return null;
    }
    List<Point> points =
        outcome.measurements().stream()
            .map(m -> new Point(m.step() + 1L, m.rows(), m.error(), m.cosine(), m.corrected()))
            .toList();
    try (Scope scope = backend.openScope("estimate of the closure")) {
      Tensor old = task.model().adapter().theta();
      Tensor corrected = moved(old, outcome.replayed().differences(), scope);
      Tensor uncorrected = moved(old, outcome.uncorrected(), scope);
      double s = outcome.share();
      double left = (1 - s) / s * ((1 - s) / s);
      return new Closure(
          closed(task.split().forgotten(), corrected, uncorrected, left),
          closed(retained(), corrected, uncorrected, left),
          points);
    }
  }

  /** Rows that the estimate runs forward. */
  int rows() {
    return task.split().changes().size() + retained().size();
  }

  private Tensor moved(Tensor old, Tensor difference, Scope scope) {
    Tensor theta = scope.allocate(backend.vectorType(), old.elements());
    backend.upload(difference.row(0), theta);
    backend.vectors().axpy(1, old, theta);
    return theta;
  }

  private Double closed(
      List<Sample> rows, Tensor corrected, Tensor uncorrected, double left) {
    if (rows.isEmpty()) {
      return null;
    }
    double[] divergences =
        Predictions.divergences(
            task.model(),
            rows,
            task.measuring().limits(),
            corrected,
            List.of(uncorrected, task.model().adapter().theta()));
    return 1 - left * divergences[0] / divergences[1];
  }

  private List<Sample> retained() {
    List<Sample> all = task.split().retained();
    long seed = task.measuring().seed();
    return IntStream.range(0, all.size())
        .boxed()
        .sorted(Comparator.comparingLong(i -> SplitMix64.bits(seed, i)))
        .limit(RETAINED)
        .map(all::get)
        .toList();
  }

  /** Refuses what may be no better than doing nothing. */
  static void requireUseful(Closure closure, boolean force) {
    if (closure == null || force) {
      return;
    }
    for (Double estimate : new Double[] {closure.forgotten(), closure.retained()}) {
      if (estimate != null && !(estimate > 0)) {
        throw new LetheException(
            "recorded replay",
            "by its own measurements the result may be no nearer to retraining than the old adapter",
            "an estimate above 0 of the distance that is closed",
            String.format(Locale.ROOT, "%.2f", estimate),
            "Retrain a part of the training's head (--exact-head 0.2), use --method exact, or take the result"
                + " as it is with --force.");
      }
    }
  }
}
