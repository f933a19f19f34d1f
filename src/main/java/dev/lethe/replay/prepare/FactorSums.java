package dev.lethe.replay.prepare;

import dev.lethe.curvature.FactorStatistics;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** Sums of {@link FactorStatistics} over steps or files, by name, in float64 on the heap. */
final class FactorSums {
  private final Map<String, double[]> sums = new LinkedHashMap<>();
  private final Map<String, Shape> shapes = new LinkedHashMap<>();

  /** Adds a host tensor to the sum of its name. */
  void add(String name, Tensor term) {
    double[] values = term.toDoubles();
    double[] sum = sums.putIfAbsent(name, values);
    if (sum == null) {
      shapes.put(name, term.shape());
      return;
    }
    for (int i = 0; i < sum.length; i++) {
      sum[i] += values[i];
    }
  }

  /** Views of the sums. */
  Map<String, Tensor> tensors() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    sums.forEach((name, sum) -> tensors.put(name, Tensor.of(shapes.get(name), sum)));
    return tensors;
  }

  void clear() {
    sums.clear();
    shapes.clear();
  }
}
