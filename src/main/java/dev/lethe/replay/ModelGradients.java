package dev.lethe.replay;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.data.work.RowTask;
import dev.lethe.data.work.RowWorker;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.tensor.TensorBytes;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.TrainingLog;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/** Gradients of rows by the model: one forward and one backward of the rows, whatever the number of requests. */
public final class ModelGradients implements RowGradients {
  private final AdaptedModel model;
  private final TrainOptions options;
  private final BatchLimits limits;

  /**
   * @param options of the training, whose dropout masks the rows get again
   */
  public ModelGradients(AdaptedModel model, TrainOptions options, BatchLimits limits) {
    this.model = model;
    this.options = options;
    this.limits = limits;
  }

  @Override
  public void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out) {
    at(step, rows, weights, null).add(model, theta, out);
  }

  @Override
  public RowGradients ahead(TrainingLog log, List<ReplayRequest> requests) {
    return model.workers() == null
        ? RowGradients.super.ahead(log, requests)
        : new GradientsAhead(log, requests, this, model.backend());
  }

  /** How many steps the model's workers make at a time. */
  int width() {
    return model.workers().count();
  }

  /** What is to be made at a step. */
  AtStep at(int step, List<Sample> rows, double[][] weights, TensorBytes theta) {
    return new AtStep(step, options.dropoutSeed(step), new ArrayList<>(rows), weights, limits, theta);
  }

  /** Σᵢ weights[j][i]·∇ℓ(rows[i]) of each step, (k,P), made by the model's workers. */
  List<TensorBytes> of(List<AtStep> steps) {
    return model.workers().once(steps, new Sums());
  }

  private static final class Sums implements RowTask<AdaptedModel, AtStep, TensorBytes> {
    private static final long serialVersionUID = 1;

    @Override
    public TensorBytes run(RowWorker<AdaptedModel> worker, AtStep at) {
      AdaptedModel model = worker.model();
      Backend backend = model.backend();
      try (Scope scope = backend.openScope("changed rows of a step")) {
        Tensor theta = HostTensors.uploaded(backend, scope, at.theta.tensor());
        Tensor out = scope.allocate(backend.vectorType(), at.weights.length, theta.elements());
        backend.vectors().fill(out, 0);
        at.add(model, theta, out);
        return TensorBytes.of(HostTensors.download(backend, out));
      }
    }
  }

  /**
   * Rows at a step.
   *
   * @param dropoutSeed of the step
   * @param theta (P); null where it is on the backend
   */
  record AtStep(
      int step, long dropoutSeed, ArrayList<Sample> rows, double[][] weights, BatchLimits limits, TensorBytes theta)
      implements Serializable {
    private void add(AdaptedModel model, Tensor at, Tensor out) {
      Backend backend = model.backend();
      int first = 0;
      for (List<Sample> part : Batches.split(rows, limits.maxSamples(), limits.maxTokens())) {
        try (Scope scope = backend.openScope("changed rows");
            Batch batch = Batch.of(part, backend)) {
          Tensor w = HostTensors.uploaded(backend, scope, weights(first, part.size()));
          double[] losses =
              Gradients.addWeightedGradient(backend, model.trainingTape(batch, dropoutSeed), at, w, 1, out);
          requireFinite(part, losses);
        }
        first += part.size();
      }
    }

    private Tensor weights(int first, int count) {
      double[] flat = new double[weights.length * count];
      for (int j = 0; j < weights.length; j++) {
        System.arraycopy(weights[j], first, flat, j * count, count);
      }
      return Tensor.of(Shape.of(weights.length, count), flat);
    }

    private void requireFinite(List<Sample> part, double[] losses) {
      for (int i = 0; i < losses.length; i++) {
        if (!Double.isFinite(losses[i])) {
          throw new LetheException(
              Text.format("replay of step %d, sample '%s'", step + 1, part.get(i).id()),
              "the loss is not finite",
              "a finite number",
              Double.toString(losses[i]),
              "Check that the trajectory belongs to this model; try --method exact.");
        }
      }
    }
  }
}
