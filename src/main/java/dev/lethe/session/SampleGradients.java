package dev.lethe.session;

import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.session.machine.Machine;
import java.util.List;

/**
 * The gradient of every row's loss with respect to the adapter, as Java arrays: ∇ℓᵢ(θ), ℓᵢ the mean cross-entropy over
 * the row's supervised tokens in nats, without dropout. Numbers lie as in θ: {@link AdaptedModel#layout} says which
 * matrix begins where, under PEFT's names.
 */
public final class SampleGradients {
  private final AdaptedModel model;
  private final List<Sample> rows;
  private BatchLimits limits = BatchLimits.DEFAULT;

  /** Takes a gradient at a time, in the order of the rows. */
  @FunctionalInterface
  public interface Reader {
    /**
     * @param row the number of the row, from 0
     * @param gradient (P); belongs to the reader
     */
    void accept(int row, double[] gradient);
  }

  /**
   * @param model with an adapter; borrowed
   */
  public SampleGradients(AdaptedModel model, List<Sample> rows) {
    this.model = model;
    this.rows = rows;
  }

  /** How much is worked on at a time; {@link BatchLimits#DEFAULT} by default. */
  public SampleGradients limits(BatchLimits value) {
    limits = value;
    return this;
  }

  /** Hands out one gradient after the other, so that few are in memory at a time. */
  public void each(Reader reader) {
    new DatasetLoss(model, rows, limits)
        .perSample(
            model.adapter().theta(),
            (first, gradients) -> {
              for (int i = 0; i < gradients.dim(0); i++) {
                reader.accept(first + i, HostTensors.doubles(model.backend(), gradients.row(i)));
              }
            });
  }

  /**
   * All of them, a row each.
   *
   * @throws EnvironmentException where they do not fit into the Java heap, before anything is computed
   */
  public double[][] toArrays() {
    requireRoom();
    double[][] gradients = new double[rows.size()][];
    each((row, gradient) -> gradients[row] = gradient);
    return gradients;
  }

  private void requireRoom() {
    Runtime java = Runtime.getRuntime();
    long free = java.maxMemory() - (java.totalMemory() - java.freeMemory());
    double need = (double) Double.BYTES * rows.size() * model.layout().size();
    if (need > free) {
      throw new EnvironmentException(
          "per-sample gradients",
          Text.format(
              "%,d arrays of %,d numbers take %s of the Java heap and %s are free",
              rows.size(), model.layout().size(), Machine.bytes((long) need), Machine.bytes(free)),
          "Take them one at a time with each, or give Java more heap with -Xmx.");
    }
  }
}
