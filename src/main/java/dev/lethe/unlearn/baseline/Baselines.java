package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** The methods that any other must be compared with. */
public final class Baselines {
  private Baselines() {}

  /** The original adapter: what a method must at least beat. */
  public static UnlearningMethod nothing() {
    return new Method("do nothing", (model, request) -> model.adapter().copy());
  }

  /** Training again on the corrected data from the same seed: the oracle. */
  public static UnlearningMethod retrain(TrainOptions options, long adapterSeed) {
    return new Method(
        "retrain",
        (model, request) -> {
          LoraAdapter fresh =
              LoraAdapter.create(model.adapter().config(), model.model(), adapterSeed);
          return trained(model, fresh, request, options);
        });
  }

  /** Going on training from the present adapter, on the corrected data. */
  public static UnlearningMethod fineTune(TrainOptions options) {
    return new Method(
        "fine-tune",
        (model, request) -> trained(model, model.adapter().copy(), request, options));
  }

  /**
   * Gradient ascent on the forgotten rows with descent on as many others, AdamW: GradDiff of Liu et
   * al. (arXiv 2203.12817), with equal weights as in open-unlearning.
   *
   * @param batchSize forgotten rows a step, and retained rows a step
   */
  public static UnlearningMethod gradientDifference(
      int steps, double learningRate, int batchSize, long seed) {
    return new Method(
        "gradient difference",
        (model, request) -> {
          LoraAdapter adapter = model.adapter().copy();
          try {
            new GradientDifference(model, request, batchSize, seed)
                .run(adapter.theta(), steps, learningRate);
            return adapter;
          } catch (RuntimeException | Error e) {
            adapter.close();
            throw e;
          }
        });
  }

  private static LoraAdapter trained(
      AdaptedModel model, LoraAdapter adapter, UnlearnRequest request, TrainOptions options) {
    try {
      new Trainer(
              model.with(adapter),
              request.target(),
              options,
              TrainMonitor.NONE)
          .run(null, false);
      return adapter;
    } catch (RuntimeException | Error e) {
      adapter.close();
      throw e;
    }
  }

  /** Something with a name. */
  private record Method(String name, Body body) implements UnlearningMethod {
    @Override
    public LoraAdapter apply(AdaptedModel model, UnlearnRequest request) {
      return body.apply(model, request);
    }
  }

  @FunctionalInterface
  private interface Body {
    LoraAdapter apply(AdaptedModel model, UnlearnRequest request);
  }

  /** The steps of gradient difference. */
  private static final class GradientDifference {
    private final AdaptedModel model;
    private final Backend backend;
    private final List<Sample> forget;
    private final List<Sample> keep;
    private final int batchSize;
    private final SplittableRandom random;

    GradientDifference(AdaptedModel model, UnlearnRequest request, int batchSize, long seed) {
      this.model = model;
      this.backend = model.backend();
      this.forget = request.forgotten();
      this.keep = request.target();
      this.batchSize = batchSize;
      this.random = new SplittableRandom(seed);
      if (forget.isEmpty()) {
        throw new LetheException(
            "gradient difference",
            "there is nothing to forget",
            "a request of at least one row",
            "none",
            "Name some rows.");
      }
    }

    void run(Tensor theta, int steps, double learningRate) {
      Vectors vectors = backend.vectors();
      VectorKernels.AdamW adam = new VectorKernels.AdamW(0.9, 0.999, 1e-8, 0);
      try (Scope scope = backend.openScope("gradient difference")) {
        Tensor g = zeros(scope, theta.elements());
        Tensor m = zeros(scope, theta.elements());
        Tensor v = zeros(scope, theta.elements());
        for (int step = 1; step <= steps; step++) {
          vectors.fill(g, 0);
          addMeanGradient(forget, theta, -1, g);
          addMeanGradient(keep, theta, 1, g);
          vectors.adamW(adam, learningRate, step, theta, g, m, v);
        }
      }
    }

    private void addMeanGradient(List<Sample> rows, Tensor theta, double sign, Tensor g) {
      List<Sample> drawn = new ArrayList<>();
      for (int i = 0; i < batchSize; i++) {
        drawn.add(rows.get(random.nextInt(rows.size())));
      }
      try (Batch batch = Batch.of(drawn, backend)) {
        Gradients.addGradient(backend, model.tape(batch), theta, sign / batchSize, g);
      }
    }

    private Tensor zeros(Scope scope, long size) {
      Tensor vector = scope.allocate(backend.vectorType(), size);
      backend.vectors().fill(vector, 0);
      return vector;
    }
  }
}
