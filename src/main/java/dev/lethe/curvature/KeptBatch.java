package dev.lethe.curvature;

import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Linearization;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** A batch on the backend and the linearization of its losses. */
record KeptBatch(Batch batch, Linearization linearization) implements AutoCloseable {
  static KeptBatch of(
      AdaptedModel model, List<Sample> samples, Tensor theta, Adjoints wanted) {
    return BatchMemory.named(samples, () -> make(model, samples, theta, wanted));
  }

  private static KeptBatch make(
      AdaptedModel model, List<Sample> samples, Tensor theta, Adjoints wanted) {
    Batch batch = Batch.of(samples, model.backend());
    Linearization at = null;
    try {
      at = new Linearization(model.backend(), model.tape(batch), theta, wanted);
      DatasetLoss.requireFinite(samples, at.losses());
      return new KeptBatch(batch, at);
    } catch (RuntimeException | Error e) {
      if (at != null) {
        at.close();
      }
      batch.close();
      throw e;
    }
  }

  @Override
  public void close() {
    linearization.close();
    batch.close();
  }
}
