package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Training in an explicit order in plain Java, written from the formulas and independent of Trainer and of the replay: the
 * oracle of recorded replay. Parameters are rounded to the backend's vector type after every step.
 */
final class PlainTraining {
  private final AdaptedModel model;
  private final Backend backend;
  private final List<Sample> samples;
  private final TrainOptions options;
  private final int[][] order;
  private final double[] rates;
  private final double[] initial;

  PlainTraining(
      AdaptedModel model,
      List<Sample> samples,
      TrainOptions options,
      int[][] order,
      double[] rates,
      double[] initial) {
    this.model = model;
    this.backend = model.backend();
    this.samples = samples;
    this.options = options;
    this.order = order;
    this.rates = rates;
    this.initial = initial;
  }

  /**
   * What a run left.
   *
   * @param thetas θₖ before every step, and θ_K
   */
  record Run(MemoryLog log, List<double[]> thetas) {
    double[] end() {
      return thetas.getLast();
    }
  }

  /** The run over all rows. */
  Run run() {
    return run(new ReplayRequest(Map.of(), Divisor.KEEP));
  }

  /** The run as a request wants it. */
  Run run(ReplayRequest request) {
    List<LoggedRow> rows =
        samples.stream().map(sample -> new LoggedRow(sample.id(), sample.hash())).toList();
    MemoryLog log = new MemoryLog(options, rows, Tensor.of(Shape.of(initial.length), initial.clone()));
    List<double[]> thetas = new ArrayList<>();
    double[] theta = initial.clone();
    double[] first = new double[theta.length];
    double[] second = new double[theta.length];
    long count = 0;
    for (int k = 0; k < order.length; k++) {
      thetas.add(theta.clone());
      double[] weights = weights(order[k], request);
      if (request.divisor() == Divisor.SHRINK && Arrays.stream(weights).sum() == 0) {
        continue;
      }
      double[] g = gradient(order[k], weights, request, theta);
      log.add(new LoggedStep(rates[k], order[k], weights), g);
      step(theta, clipped(g), first, second, ++count, rates[k]);
      round(theta);
    }
    thetas.add(theta);
    return new Run(log, thetas);
  }

  /** Weights of a batch's slots. */
  private static double[] weights(int[] batch, ReplayRequest request) {
    double[] weights = new double[batch.length];
    for (int i = 0; i < batch.length; i++) {
      RowChange change = request.changes().get(batch[i]);
      weights[i] = change == null || !change.removes() ? 1 : 1 - change.part();
    }
    double divisor = request.divisor() == Divisor.SHRINK ? Math.max(1e-300, Arrays.stream(weights).sum()) : batch.length;
    return Arrays.stream(weights).map(w -> w / divisor).toArray();
  }

  /** Σ wᵢ∇ℓᵢ(θ) of the rows as the request wants them. */
  double[] gradient(int[] batch, double[] weights, ReplayRequest request, double[] theta) {
    TreeMap<Double, List<Sample>> byWeight = new TreeMap<>();
    for (int i = 0; i < batch.length; i++) {
      RowChange change = request.changes().get(batch[i]);
      Sample row = change == null || change.removes() ? samples.get(batch[i]) : change.replacement();
      if (weights[i] != 0) {
        byWeight.computeIfAbsent(weights[i], w -> new ArrayList<>()).add(row);
      }
    }
    try (Scope scope = backend.openScope("plain training")) {
      Tensor at = upload(theta, scope);
      Tensor g = scope.allocate(backend.vectorType(), theta.length);
      backend.vectors().fill(g, 0);
      byWeight.forEach(
          (weight, rows) -> new DatasetLoss(model, rows, BatchLimits.DEFAULT).addGradient(at, weight, g));
      double[] values = new double[theta.length];
      backend.download(g, Tensor.of(Shape.of(theta.length), values));
      return values;
    }
  }

  private Tensor upload(double[] values, Scope scope) {
    Tensor tensor = scope.allocate(backend.vectorType(), values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), tensor);
    return tensor;
  }

  private double[] clipped(double[] g) {
    double norm = Math.sqrt(Arrays.stream(g).map(x -> x * x).sum());
    double factor = options.clip() > 0 ? Math.min(1, options.clip() / (norm + 1e-6)) : 1;
    return Arrays.stream(g).map(x -> factor * x).toArray();
  }

  private void step(double[] theta, double[] g, double[] m, double[] v, long t, double rate) {
    double decay = options.weightDecay();
    for (int i = 0; i < theta.length; i++) {
      if (options.optimizer() == OptimizerKind.SGD) {
        m[i] = options.momentum() * m[i] + g[i] + decay * theta[i];
        theta[i] -= rate * m[i];
        continue;
      }
      m[i] = options.beta1() * m[i] + (1 - options.beta1()) * g[i];
      v[i] = options.beta2() * v[i] + (1 - options.beta2()) * g[i] * g[i];
      double meanHat = m[i] / (1 - Math.pow(options.beta1(), t));
      double squareHat = v[i] / (1 - Math.pow(options.beta2(), t));
      theta[i] = theta[i] * (1 - rate * decay) - rate * meanHat / (Math.sqrt(squareHat) + options.epsilon());
    }
  }

  private void round(double[] theta) {
    if (backend.vectorType() == DType.F32) {
      for (int i = 0; i < theta.length; i++) {
        theta[i] = (float) theta[i];
      }
    }
  }
}
