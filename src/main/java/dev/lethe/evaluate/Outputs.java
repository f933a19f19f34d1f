package dev.lethe.evaluate;

import dev.lethe.autograd.Gradients;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.KullbackLeibler;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** What a model predicts at the supervised positions of rows, under given adapter parameters. */
public final class Outputs {
  private final AdaptedModel model;
  private final List<List<Sample>> batches;

  /** The rows' predictions are never held for more than one batch at a time. */
  public Outputs(AdaptedModel model, List<Sample> rows, BatchLimits limits) {
    this.model = model;
    this.batches = Batches.split(rows, limits.maxSamples(), limits.maxTokens());
  }

  /**
   * The mean over supervised positions of KL(p‖q), in nats, where p are the predictions under the
   * one and q under the other parameters. Probabilities below the smallest normal float count as
   * that.
   *
   * @param p (P)
   * @param q (P)
   */
  public double divergence(Tensor p, Tensor q) {
    double sum = 0;
    long positions = 0;
    for (List<Sample> members : batches) {
      try (Batch batch = Batch.of(members, model.backend())) {
        for (double position : KullbackLeibler.ofRows(probabilities(batch, p), probabilities(batch, q))) {
          sum += position;
        }
      }
      positions += members.stream().mapToLong(Sample::supervised).sum();
    }
    return sum / positions;
  }

  /** How well each row is memorized, in data order. */
  public List<Memorization> memorization(Tensor theta) {
    List<Memorization> rows = new ArrayList<>();
    for (List<Sample> members : batches) {
      try (Batch batch = Batch.of(members, model.backend())) {
        Tensor p = probabilities(batch, theta);
        long first = 0;
        for (Sample sample : members) {
          rows.add(Memorization.of(sample, p.slice(first, sample.supervised()), model.model().spec().eosIds()));
          first += sample.supervised();
        }
      }
    }
    return rows;
  }

  /** Host F64 (M,V). */
  private Tensor probabilities(Batch batch, Tensor theta) {
    return Gradients.probabilities(model.backend(), model.tape(batch), theta);
  }
}
