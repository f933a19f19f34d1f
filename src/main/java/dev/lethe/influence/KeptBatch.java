package dev.lethe.influence;

import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** A batch on the backend, its tape and the linearization of its losses. */
record KeptBatch(Batch batch, Tape tape, Linearization linearization) implements AutoCloseable {
  static KeptBatch of(AdaptedModel model, List<Sample> samples, Tensor theta) {
    return BatchMemory.named(samples, () -> make(model, samples, theta));
  }

  private static KeptBatch make(AdaptedModel model, List<Sample> samples, Tensor theta) {
    Batch batch = Batch.of(samples, model.backend());
    Linearization at = null;
    try {
      Tape tape = model.tape(batch);
      at = new Linearization(model.backend(), tape, theta);
      DatasetLoss.requireFinite(samples, at.losses());
      return new KeptBatch(batch, tape, at);
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
