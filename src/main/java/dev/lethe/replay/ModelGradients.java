package dev.lethe.replay;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import java.util.List;

/** Gradients of rows by the model: one forward and one backward of the rows, whatever the number of requests. */
public final class ModelGradients implements RowGradients {
  private final AdaptedModel model;
  private final TrainOptions options;
  private final BatchLimits limits;
  private final Backend backend;

  /**
   * @param options of the training, whose dropout masks the rows get again
   */
  public ModelGradients(AdaptedModel model, TrainOptions options, BatchLimits limits) {
    this.model = model;
    this.options = options;
    this.limits = limits;
    this.backend = model.backend();
  }

  @Override
  public void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out) {
    int first = 0;
    for (List<Sample> part : Batches.split(rows, limits.maxSamples(), limits.maxTokens())) {
      try (Scope scope = backend.openScope("changed rows");
          Batch batch = Batch.of(part, backend)) {
        Tensor w = upload(weights, first, part.size(), scope);
        double[] losses =
            Gradients.addWeightedGradient(
                backend, model.trainingTape(batch, options.dropoutSeed(step)), theta, w, 1, out);
        requireFinite(step, part, losses);
      }
      first += part.size();
    }
  }

  private Tensor upload(double[][] weights, int first, int count, Scope scope) {
    double[] flat = new double[weights.length * count];
    for (int j = 0; j < weights.length; j++) {
      System.arraycopy(weights[j], first, flat, j * count, count);
    }
    Shape shape = Shape.of(weights.length, count);
    Tensor uploaded = scope.allocate(backend.vectorType(), shape);
    backend.upload(Tensor.of(shape, flat), uploaded);
    return uploaded;
  }

  private static void requireFinite(int step, List<Sample> rows, double[] losses) {
    for (int i = 0; i < losses.length; i++) {
      if (!Double.isFinite(losses[i])) {
        throw new LetheException(
            Text.format("replay of step %d, sample '%s'", step + 1, rows.get(i).id()),
            "the loss is not finite",
            "a finite number",
            Double.toString(losses[i]),
            "Check that the trajectory belongs to this model; try --method exact.");
      }
    }
  }
}
