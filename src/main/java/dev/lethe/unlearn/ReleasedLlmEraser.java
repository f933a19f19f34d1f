package dev.lethe.unlearn;

import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * What the code that was released with LLMEraser does, for comparison (repository
 * oceanoceanna/LLMEraser, {@code attack_demo.py}). It is not the paper's method: the gradients of
 * old and new rows are taken with dropout on and each in its own random order; the quadratic's
 * gradient is ½Hx − b, so the factor 2 is wrong; H is that of one random row with dropout; and x
 * moves 20 times by at most about the learning rate 1e-5 a coordinate from 1e-5, so that |x|∞ stays
 * near 2·10⁻⁴ whatever the system.
 */
final class ReleasedLlmEraser {
  /** Its name among the solvers. */
  static final String NAME = "llmeraser-released";

  static final double LEARNING_RATE = 1e-5;
  static final double START = 1e-5;
  static final double WEIGHT_DECAY = 1e-5;
  static final int ITERATIONS = 20;

  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPSILON = 1e-8;

  private final AdaptedModel model;
  private final UnlearnRequest request;
  private final Random random;

  ReleasedLlmEraser(AdaptedModel model, UnlearnRequest request, long seed) {
    this.model = model;
    this.request = request;
    this.random = new Random(seed);
  }

  /** Changes the parameters (P) by its x and says what it did; the residual is not known. */
  OuterStep step(Tensor theta, EraserMonitor monitor) {
    Backend backend = model.backend();
    Vectors vectors = backend.vectors();
    try (Scope scope = backend.openScope("released LLMEraser")) {
      Tensor b = filled(scope, 0);
      addShuffledGradients(request.forgotten(), theta, 1.0 / request.rows(), b);
      addShuffledGradients(request.replacements(), theta, -1.0 / request.rows(), b);
      Tensor x = filled(scope, START);
      solve(theta, b, x, scope, monitor);
      vectors.axpy(1, x, theta);
      return new OuterStep(
          1,
          vectors.norm(b),
          vectors.norm(x),
          ITERATIONS,
          ITERATIONS,
          null,
          null,
          false,
          "fixed number of iterations",
          null);
    }
  }

  private void solve(Tensor theta, Tensor b, Tensor x, Scope scope, EraserMonitor monitor) {
    Vectors vectors = model.backend().vectors();
    VectorKernels.AdamW adam = new VectorKernels.AdamW(BETA1, BETA2, EPSILON, 0);
    Tensor g = filled(scope, 0);
    Tensor m = filled(scope, 0);
    Tensor v = filled(scope, 0);
    List<Sample> order = shuffled(request.data());
    for (int t = 1; t <= ITERATIONS; t++) {
      if (monitor.interrupted()) {
        throw new UnlearnInterrupted(null);
      }
      vectors.fill(g, 0);
      addHessianProduct(order.get((t - 1) % order.size()), theta, x, g);
      vectors.axpby(-1, b, 0.5, g);
      vectors.axpy(WEIGHT_DECAY, x, g);
      vectors.adamW(adam, LEARNING_RATE, t, x, g, m, v);
      monitor.onIteration(1, t, ITERATIONS, Double.NaN);
    }
  }

  private void addHessianProduct(Sample sample, Tensor theta, Tensor x, Tensor out) {
    Backend backend = model.backend();
    try (Batch batch = Batch.of(List.of(sample), backend);
        Linearization at =
            new Linearization(backend, model.trainingTape(batch, random.nextLong()), theta)) {
      long size = x.elements();
      at.addHvp(x.reshape(1, size), 1, out.reshape(1, size));
    }
  }

  private void addShuffledGradients(List<Sample> rows, Tensor theta, double scale, Tensor b) {
    Backend backend = model.backend();
    for (Sample sample : shuffled(rows)) {
      try (Batch batch = Batch.of(List.of(sample), backend)) {
        Gradients.addGradient(
            backend, model.trainingTape(batch, random.nextLong()), theta, scale, b);
      }
    }
  }

  private List<Sample> shuffled(List<Sample> rows) {
    List<Sample> order = new ArrayList<>(rows);
    Collections.shuffle(order, random);
    return order;
  }

  private Tensor filled(Scope scope, double value) {
    Tensor vector = scope.allocate(model.backend().vectorType(), model.layout().size());
    model.backend().vectors().fill(vector, value);
    return vector;
  }
}
