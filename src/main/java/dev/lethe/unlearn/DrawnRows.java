package dev.lethe.unlearn;

import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import dev.lethe.unlearn.request.Measuring;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Rows to sum over: all of a set, or a part that is drawn by a seed and stands for it.
 *
 * @param samples in data order
 * @param divisor what to divide the sum by: n for the whole set, so that all sums belong to one
 *     objective; for a part of the rows less, in proportion
 * @param left the rows that were not drawn, in data order
 */
record DrawnRows(List<Sample> samples, double divisor, List<Sample> left) {

  /** The rows of the curvature. */
  static DrawnRows ofCurvature(UnlearnRequest request, EraserOptions options) {
    List<Sample> all = options.curvatureData() == CurvatureData.TARGET ? request.target() : request.data();
    int wanted = options.curvatureRows() == 0 ? all.size() : options.curvatureRows();
    return of(all, wanted, request.rows(), options.solving().seed());
  }

  /**
   * The target rows that the certificate measures. They are drawn independently of the curvature's,
   * which the step fits better than others.
   */
  static DrawnRows ofCertificate(UnlearnRequest request, Measuring measuring) {
    return of(request.target(), measuring.rows(), request.rows(), measuring.seed() + 1);
  }

  private static DrawnRows of(List<Sample> all, int wanted, double rows, long seed) {
    if (wanted >= all.size()) {
      return new DrawnRows(all, rows, List.of());
    }
    return drawn(all, wanted, rows / all.size(), seed);
  }

  /** Their mean curvature at θ. */
  CurvatureOperator curvature(
      AdaptedModel model, Tensor theta, EraserOptions options, MemoryBudget memory) {
    DatasetLoss loss = new DatasetLoss(model, samples, options.limits());
    return options.curvature().over(loss, theta, divisor, memory, options.solving().seed());
  }

  /** As many of the rows that were not drawn, or all where they are fewer; empty where all were drawn. */
  Optional<DrawnRows> others(long seed) {
    if (left.isEmpty()) {
      return Optional.empty();
    }
    int count = Math.min(samples.size(), left.size());
    return Optional.of(drawn(left, count, divisor / samples.size(), seed));
  }

  /** Rows drawn without replacement, in their old order; each counts as so many in the divisor. */
  private static DrawnRows drawn(List<Sample> all, int count, double weight, long seed) {
    int[] index = new int[all.size()];
    Arrays.setAll(index, i -> i);
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < count; i++) {
      int other = random.nextInt(i, index.length);
      int swap = index[i];
      index[i] = index[other];
      index[other] = swap;
    }
    return new DrawnRows(
        inOrder(all, Arrays.copyOf(index, count)),
        weight * count,
        inOrder(all, Arrays.copyOfRange(index, count, index.length)));
  }

  private static List<Sample> inOrder(List<Sample> all, int[] chosen) {
    return Arrays.stream(chosen).sorted().mapToObj(all::get).toList();
  }
}
