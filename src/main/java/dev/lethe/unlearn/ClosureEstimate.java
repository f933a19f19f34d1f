package dev.lethe.unlearn;

import dev.lethe.replay.Measurement;
import dev.lethe.unlearn.Certificate.Closure;
import dev.lethe.unlearn.Certificate.Point;
import java.util.List;

/** How much of the distance to retraining a replay closes, from how well its operator did at a few steps. */
final class ClosureEstimate {
  private ClosureEstimate() {}

  static Closure of(List<Measurement> measurements, boolean force) {
    List<Point> points =
        measurements.stream()
            .map(m -> new Point(m.step() + 1L, m.rows(), m.error(), m.cosine(), m.corrected()))
            .toList();
    return new Closure(null, points);
  }
}
