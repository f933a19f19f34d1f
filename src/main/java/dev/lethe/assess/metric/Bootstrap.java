package dev.lethe.assess.metric;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Percentile intervals by drawing rows again with replacement (Efron, Annals of Statistics 7, 1979). They say how much a
 * number would move with other rows of the same kind, and nothing about other trainings.
 *
 * @param draws how many resamples
 * @param seed of the drawing
 */
public record Bootstrap(int draws, long seed) {
  /** The fewest rows that an interval is given for: below, resamples are too few and too alike. */
  public static final int FEWEST_ROWS = 8;

  private static final double TAIL = 0.025;

  public Bootstrap {
    if (draws < 100) {
      throw new ArgumentException("a bootstrap of " + draws + " draws; at least 100");
    }
  }

  /** The mean of one value a row. */
  public Estimate mean(double[] values) {
    return of(values.length, rows -> Arrays.stream(rows).mapToDouble(i -> values[i]).average().orElse(Double.NaN));
  }

  /** A statistic of n rows. */
  public Estimate of(int n, ToDoubleFunction<int[]> statistic) {
    return of(new int[] {n}, parts -> statistic.applyAsDouble(parts[0]));
  }

  /**
   * A statistic of several groups of rows, each drawn again by itself.
   *
   * @param sizes rows a group
   * @param statistic of the row numbers in each group; draws where it is NaN are left out
   */
  public Estimate of(int[] sizes, ToDoubleFunction<int[][]> statistic) {
    int rows = Arrays.stream(sizes).sum();
    double value = rows == 0 ? Double.NaN : statistic.applyAsDouble(identity(sizes));
    if (Double.isNaN(value) || Arrays.stream(sizes).min().orElse(0) < FEWEST_ROWS) {
      String few = Text.format("fewer than %d rows: no interval", FEWEST_ROWS);
      String why = Double.isNaN(value) ? "not defined on these rows" : few;
      return new Estimate(value, Double.NaN, Double.NaN, rows, why);
    }
    SplittableRandom random = new SplittableRandom(seed);
    double[] drawn = new double[draws];
    for (int d = 0; d < draws; d++) {
      int[][] parts = new int[sizes.length][];
      for (int g = 0; g < sizes.length; g++) {
        parts[g] = random.ints(sizes[g], 0, sizes[g]).toArray();
      }
      drawn[d] = statistic.applyAsDouble(parts);
    }
    double[] sorted = Arrays.stream(drawn).filter(x -> !Double.isNaN(x)).sorted().toArray();
    return new Estimate(value, quantile(sorted, TAIL), quantile(sorted, 1 - TAIL), rows, null);
  }

  private static int[][] identity(int[] sizes) {
    int[][] parts = new int[sizes.length][];
    for (int g = 0; g < sizes.length; g++) {
      parts[g] = IntStream.range(0, sizes[g]).toArray();
    }
    return parts;
  }

  /** Linear between order statistics, as numpy's default. */
  static double quantile(double[] sorted, double share) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    double at = share * (sorted.length - 1);
    int below = (int) Math.floor(at);
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
