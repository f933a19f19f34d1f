package dev.lethe.replay;

import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.KullbackLeibler;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Tensor;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Compares what a model predicts under different parameters. */
final class Predictions {
  private Predictions() {}

  /**
   * Two of the parameters that are compared.
   *
   * @param p parameters (P)
   * @param q parameters (P)
   */
  record Pair(Tensor p, Tensor q) {}

  /**
   * Mean over rows of the mean over their supervised tokens of KL(p‖q), for each pair; a forward of each row for
   * all parameters that occur.
   */
  static double[] divergences(
      AdaptedModel model, List<Sample> rows, BatchLimits limits, List<Pair> pairs) {
    double[] sums = new double[pairs.size()];
    Backend backend = model.backend();
    for (List<Sample> part : Batches.split(rows, limits.maxSamples(), limits.maxTokens())) {
      try (Batch batch = Batch.of(part, backend)) {
        Map<Tensor, Tensor> predicted = new IdentityHashMap<>();
        for (Pair pair : pairs) {
          for (Tensor theta : List.of(pair.p, pair.q)) {
            predicted.computeIfAbsent(
                theta, one -> Gradients.probabilities(backend, model.tape(batch), one));
          }
        }
        for (int j = 0; j < sums.length; j++) {
          Pair pair = pairs.get(j);
          sums[j] += divergence(part, predicted.get(pair.p), predicted.get(pair.q)) / rows.size();
        }
      }
    }
    return sums;
  }

  private static double divergence(List<Sample> rows, Tensor p, Tensor q) {
    double[] positions = KullbackLeibler.ofRows(p, q);
    double sum = 0;
    int at = 0;
    for (Sample row : rows) {
      sum += KullbackLeibler.mean(positions, at, row.supervised());
      at += row.supervised();
    }
    return sum;
  }
}
