package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.Sample;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.replay.ReplayError;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.unlearn.certificate.Certificate.Closure;
import dev.lethe.unlearn.certificate.Certificate.Point;
import dev.lethe.unlearn.certificate.CertificateParts;
import dev.lethe.unlearn.request.UnlearnTask;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How much of the distance to retraining a measured replay closes, on the requested rows and on a few drawn
 * retained ones. See {@link ReplayError}.
 */
final class ClosureEstimate {
  private static final int RETAINED = 16;

  private final UnlearnTask task;

  ClosureEstimate(UnlearnTask task) {
    this.task = task;
  }

  /** What the certificate says; null where nothing was measured. */
  Closure of(MeasuredReplay.Outcome outcome) {
    if (outcome.measurements().isEmpty()) {
      return null;
    }
    List<Point> points =
        outcome.measurements().stream()
            .map(
                m ->
                    new Point(
                        m.step() + 1L,
                        m.rows(),
                        CertificateParts.orNull(m.error()),
                        CertificateParts.orNull(m.cosine()),
                        CertificateParts.orNull(m.corrected())))
            .toList();
    ReplayError error = new ReplayError(task.model(), task.measuring().limits(), outcome);
    return new Closure(closed(error, task.request().forgotten()), closed(error, retained()), points);
  }

  /** Rows that the estimate runs forward. */
  int rows() {
    return task.request().changes().size() + retained().size();
  }

  private static Double closed(ReplayError error, List<Sample> rows) {
    return rows.isEmpty() ? null : CertificateParts.orNull(error.closed(rows));
  }

  private List<Sample> retained() {
    List<Sample> all = task.request().retained();
    long seed = task.measuring().seed();
    return IntStream.range(0, all.size())
        .boxed()
        .sorted(Comparator.comparingLong(i -> SplitMix64.bits(seed, i)))
        .limit(RETAINED)
        .map(all::get)
        .toList();
  }

  /** Refuses what may be no better than doing nothing. */
  void requireUseful(Closure closure, boolean force) {
    if (closure == null || force) {
      return;
    }
    requireUseful(closure.forgotten(), task.request().forgotten());
    requireUseful(closure.retained(), retained());
  }

  private static void requireUseful(Double estimate, List<Sample> rows) {
    if (!rows.isEmpty() && (estimate == null || estimate < ReplayError.LEAST)) {
      throw new LetheException(
          "recorded replay",
          "by its own measurements the result may be no nearer to retraining than the old adapter",
          Text.format("an estimate of at least %.1f of the distance closed", ReplayError.LEAST),
          estimate == null
              ? "none: retraining seems to change nothing here, and the result does"
              : Text.format("%.2f", estimate),
          "Retrain a part of the training's head (--exact-head 0.2), use --method exact, or take the result"
              + " as it is with --force.");
    }
  }
}
