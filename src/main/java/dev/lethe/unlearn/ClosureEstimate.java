package dev.lethe.unlearn;

import dev.lethe.unlearn.Certificate.Closure;
import dev.lethe.unlearn.Certificate.Point;
import java.util.List;

/** How much of the distance to retraining a replay closes, from how well its operator did at a few steps. */
final class ClosureEstimate {
  private ClosureEstimate() {}

  static Closure of(List<Point> points, boolean force) {
    return new Closure(null, points);
  }
}
