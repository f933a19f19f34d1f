package dev.lethe.unlearn;

import dev.lethe.data.Sample;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The rows that the curvature is summed over.
 *
 * @param samples in data order
 * @param divisor what to divide the sum by: n for all target rows, so that curvature and right-hand
 *     side belong to one objective; for a part of the rows less, in proportion
 */
record CurvatureRows(List<Sample> samples, double divisor) {

  static CurvatureRows of(List<Sample> data, DataSplit split, EraserOptions options) {
    List<Sample> all = options.curvatureData() == CurvatureData.TARGET ? split.target() : data;
    int wanted = options.curvatureRows();
    if (wanted == 0 || wanted >= all.size()) {
      return new CurvatureRows(all, data.size());
    }
    double divisor = (double) data.size() * wanted / all.size();
    return new CurvatureRows(drawn(all, wanted, options.solving().seed()), divisor);
  }

  /** Rows drawn without replacement, in their old order. */
  private static List<Sample> drawn(List<Sample> all, int count, long seed) {
    int[] index = new int[all.size()];
    Arrays.setAll(index, i -> i);
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < count; i++) {
      int other = random.nextInt(i, index.length);
      int swap = index[i];
      index[i] = index[other];
      index[other] = swap;
    }
    int[] chosen = Arrays.copyOf(index, count);
    Arrays.sort(chosen);
    List<Sample> samples = new ArrayList<>(count);
    for (int i : chosen) {
      samples.add(all.get(i));
    }
    return samples;
  }
}
