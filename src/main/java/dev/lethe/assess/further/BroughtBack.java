package dev.lethe.assess.further;

import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.Section;
import java.util.ArrayList;
import java.util.List;

/**
 * Losses of rows under the original, the unlearned and the retrained adapter before and after the same was done to each,
 * and by how much they fell: what that brought back.
 *
 * @param before of each adapter, row by row
 * @param after likewise
 */
record BroughtBack(List<double[]> before, List<double[]> after) {
  static final List<String> COLUMNS = List.of("original", "unlearned", "retrained", "unlearned less retrained");

  /** Three lines of {@link #COLUMNS}, which begin with some words. */
  List<Section.Line> lines(String words, Bootstrap bootstrap) {
    List<double[]> gained = new ArrayList<>();
    for (int s = 0; s < before.size(); s++) {
      gained.add(difference(before.get(s), after.get(s)));
    }
    return List.of(
        line(words + "loss before", before, bootstrap),
        line(words + "loss after", after, bootstrap),
        line(words + "brought back", gained, bootstrap));
  }

  private static Section.Line line(String name, List<double[]> values, Bootstrap bootstrap) {
    List<Estimate> cells = new ArrayList<>(values.stream().map(bootstrap::mean).toList());
    cells.add(bootstrap.mean(difference(values.get(1), values.get(2))));
    return new Section.Line(name, cells, null);
  }

  private static double[] difference(double[] one, double[] other) {
    double[] values = new double[one.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = one[i] - other[i];
    }
    return values;
  }
}
