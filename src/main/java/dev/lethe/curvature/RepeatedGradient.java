package dev.lethe.curvature;

import dev.lethe.autograd.GradientStep;
import dev.lethe.data.Sample;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The gradient of a data set's losses at one θ tensor whose numbers change: batches stay on the backend, and
 * each batch's forward and backward is one recording where the backend records.
 */
public final class RepeatedGradient implements AutoCloseable {
  private final DatasetLoss loss;
  private final List<Step> steps = new ArrayList<>();

  private record Step(List<Sample> samples, Batch batch, GradientStep gradient) {
    private void close() {
      gradient.close();
      batch.close();
    }
  }

  /**
   * Uploads the batches; nothing is computed yet.
   *
   * @param theta (P)
   * @param scale of what is added
   * @param g (P), what is added to
   */
  public RepeatedGradient(DatasetLoss loss, Tensor theta, double scale, Tensor g) {
    this.loss = loss;
    try {
      for (List<Sample> members : loss.batches()) {
        Batch batch = Batch.of(members, loss.backend());
        steps.add(
            new Step(
                members,
                batch,
                new GradientStep(
                    loss.backend(), loss.model().tape(batch), theta, scale, g)));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /**
   * Adds scale·Σᵢ∇ℓᵢ(θ) to g.
   *
   * @return ℓᵢ(θ) of every sample, in data order
   */
  public double[] add() {
    double[] losses = new double[loss.size()];
    int first = 0;
    for (Step step : steps) {
      double[] part = step.gradient.add();
      DatasetLoss.requireFinite(step.samples, part);
      System.arraycopy(part, 0, losses, first, part.length);
      first += part.length;
    }
    return losses;
  }

  @Override
  public void close() {
    steps.forEach(Step::close);
    steps.clear();
  }
}
