package dev.lethe.replay.prepare;

import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.replay.operator.BilinearTerm;
import dev.lethe.replay.prepare.PreparationPlan.Group;
import dev.lethe.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Means of the full weights' gradients over the visited steps of each group, for the steps that are not
 * visited.
 */
final class MeanWeights {
  private MeanWeights() {}

  /** Writes the means of all groups, each at the middle of its steps. */
  static void fit(OperatorFiles files, PreparationPlan plan, int layers, int rank) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (Group group : plan.groups()) {
      try (SafeTensors file = SafeTensors.open(files.weights(group.index()))) {
        List<Integer> steps = WeightGradients.steps(file);
        List<List<BilinearTerm.Weight>> all =
            steps.stream().map(step -> WeightGradients.get(file, step, layers)).toList();
        List<BilinearTerm.Weight> means =
            IntStream.range(0, layers)
                .parallel()
                .mapToObj(
                    i -> WeightGradients.mean(all.stream().map(step -> step.get(i)).toList(), rank))
                .toList();
        int middle = (int) steps.stream().mapToInt(Integer::intValue).average().orElseThrow();
        WeightGradients.put(middle, means, named);
      }
    }
    SafeTensors.write(files.means(), named, Map.of());
  }

  /** The bilinear term with every step's own gradient where there is one. */
  static void load(OperatorFiles files, PreparationPlan plan, int layers, BilinearTerm into) {
    for (Group group : plan.groups()) {
      try (SafeTensors file = SafeTensors.open(files.weights(group.index()))) {
        for (int step : WeightGradients.steps(file)) {
          into.addOwn(step, WeightGradients.get(file, step, layers));
        }
      }
    }
    try (SafeTensors file = SafeTensors.open(files.means())) {
      for (int step : WeightGradients.steps(file)) {
        into.addMean(step, WeightGradients.get(file, step, layers));
      }
    }
  }
}
