package dev.lethe.replay;

import dev.lethe.tensor.SplitMix64;
import dev.lethe.trajectory.TrainingLog;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * What is sampled at which step. The rows of a step are the first of an order that depends on the seed, the step
 * and each row alone: removing a row changes nothing else, and brings in the next.
 */
final class PreparationPlan {
  private final PreparationSettings settings;
  private final TrainingLog log;
  private final int[] rows;
  private final TreeMap<Integer, Point> points = new TreeMap<>();
  private final int draws;

  /**
   * The samples of one step: the first so many rows of {@link #rows} for each purpose.
   *
   * @param sketch rows whose gradients are sampled
   * @param factors rows for EK-FAC's bases, none more than sketch
   * @param weights rows for the gradient of the full weights
   */
  record Point(int step, int sketch, int factors, int weights) {
    int most() {
      return Math.max(sketch, weights);
    }

    Point without(boolean curvatureDone, boolean factorsDone, boolean weightsDone) {
      return new Point(
          step,
          curvatureDone ? 0 : sketch,
          factorsDone ? 0 : factors,
          weightsDone ? 0 : weights);
    }
  }

  PreparationPlan(TrainingLog log, PreparationSettings settings) {
    this.log = log;
    this.settings = settings;
    this.rows =
        IntStream.range(0, log.rows().size()).filter(i -> !log.rows().get(i).removed()).toArray();
    List<Integer> curvature = steps(settings.curvatureAt());
    int perPoint = Math.ceilDiv(settings.sketchRows(), curvature.size());
    int samples = Math.min(rows.length, Math.ceilDiv(perPoint, settings.draws()));
    this.draws = samples == 0 ? 0 : Math.ceilDiv(perPoint, samples);
    for (int step : curvature) {
      points.put(step, new Point(step, samples, Math.min(samples, settings.factorRows()), 0));
    }
    int weights = Math.min(rows.length, settings.weightRows());
    for (int step : steps(settings.weightsAt())) {
      Point known = points.getOrDefault(step, new Point(step, 0, 0, 0));
      points.put(step, new Point(step, known.sketch, known.factors, weights));
    }
  }

  private List<Integer> steps(List<Double> places) {
    return places.stream().map(place -> (int) (place * log.steps())).distinct().sorted().toList();
  }

  /** The steps at which something is sampled, ascending. */
  List<Point> points() {
    return List.copyOf(points.values());
  }

  /** Gradients sampled of each row. */
  int draws() {
    return draws;
  }

  /** The places in the log's rows that are left, in the order of a step. */
  int[] order(int step) {
    long seed = SplitMix64.bits(settings.seed(), step);
    return IntStream.of(rows)
        .boxed()
        .sorted(Comparator.comparingLong(place -> SplitMix64.bits(seed, place)))
        .mapToInt(Integer::intValue)
        .toArray();
  }
}
