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
import java.util.List;

/** Compares what a model predicts under different parameters. */
public final class Predictions {
  private Predictions() {}

  /**
   * Mean over rows of the mean over their supervised tokens of KL(p‖q), for each q.
   *
   * @param p parameters (P)
   * @param others parameters q, each (P)
   */
  public static double[] divergences(
      AdaptedModel model, List<Sample> rows, BatchLimits limits, Tensor p, List<Tensor> others) {
    double[] sums = new double[others.size()];
    Backend backend = model.backend();
    for (List<Sample> part : Batches.split(rows, limits.maxSamples(), limits.maxTokens())) {
      try (Batch batch = Batch.of(part, backend)) {
        Tensor target = Gradients.probabilities(backend, model.tape(batch), p);
        for (int j = 0; j < sums.length; j++) {
          Tensor got = Gradients.probabilities(backend, model.tape(batch), others.get(j));
          sums[j] += divergence(part, target, got) / rows.size();
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
