package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainOptions;
import java.util.Arrays;

/**
 * The optimiser's state of the trained run and of k requests' runs, which follow it until they part. Every stream takes
 * the steps that training would take, with its own clipping.
 */
final class ReplayStreams implements AutoCloseable {
  private final Backend backend;
  private final VectorKernels vectors;
  private final TrainOptions options;
  private final VectorKernels.AdamW adamW;
  private final Scope scope;
  private final Stream trained;
  private final Stream[] requests;
  private final Tensor thetas;
  private final Tensor difference;
  private final Tensor x;
  private final boolean[] changed;

  /**
   * @param initial host θ₀ (P)
   * @param k number of requests
   */
  ReplayStreams(Backend backend, TrainOptions options, Tensor initial, int k) {
    this.backend = backend;
    this.vectors = backend.vectors();
    this.options = options;
    this.adamW =
        new VectorKernels.AdamW(options.beta1(), options.beta2(), options.epsilon(), options.weightDecay());
    this.scope = backend.openScope("replay");
    long size = initial.elements();
    this.trained = new Stream(vector(size), vector(size), second(size));
    backend.upload(initial, trained.theta);
    vectors.fill(trained.first, 0);
    if (trained.second != null) {
      vectors.fill(trained.second, 0);
    }
    this.x = vector(size);
    this.changed = new boolean[k];
    this.requests = new Stream[k];
    this.thetas = scope.allocate(backend.vectorType(), k, size);
    this.difference = scope.allocate(backend.vectorType(), k, size);
    for (int j = 0; j < k; j++) {
      requests[j] = new Stream(thetas.row(j), vector(size), second(size));
    }
  }

  private Tensor vector(long size) {
    return scope.allocate(backend.vectorType(), size);
  }

  private Tensor second(long size) {
    return options.optimizer() == OptimizerKind.SGD ? null : vector(size);
  }

  /** θ of the trained run (P). */
  Tensor theta() {
    return trained.theta;
  }

  /** v of the trained run (P); null for SGD. */
  Tensor second() {
    return trained.second;
  }

  /** Steps that the trained run has taken. */
  long steps() {
    return trained.steps;
  }

  /** θ of the requests' runs (k,P). */
  Tensor thetas() {
    return thetas;
  }

  /** θ′ − θ of the requests' runs (k,P), as of the last {@link #part} or step. */
  Tensor difference() {
    return difference;
  }

  /** The requests' streams begin where the trained one is. */
  void part() {
    for (Stream request : requests) {
      vectors.copy(trained.theta, request.theta);
      vectors.copy(trained.first, request.first);
      if (trained.second != null) {
        vectors.copy(trained.second, request.second);
      }
      request.steps = trained.steps;
    }
    vectors.fill(difference, 0);
  }

  /** The requests' streams begin where a retraining left them. */
  void part(ReplayStart start) {
    Arrays.fill(changed, true);
    for (int j = 0; j < requests.length; j++) {
      backend.upload(start.thetas().row(j), requests[j].theta);
      backend.upload(start.first().row(j), requests[j].first);
      if (trained.second != null) {
        backend.upload(start.second().row(j), requests[j].second);
      }
      requests[j].steps = start.step();
      differ(j);
    }
  }

  /** A step of the trained stream alone. */
  void stepTrained(double rate, Tensor g) {
    vectors.copy(g, x);
    step(trained, rate);
  }

  /**
   * A step of every stream.
   *
   * @param g recorded gradient (P)
   * @param change what each request adds to it (k,P)
   * @param changes whether a request's change may be other than zero
   * @param skips whether a request's batch is empty and it takes no step
   */
  void step(double rate, Tensor g, Tensor change, boolean[] changes, boolean[] skips) {
    stepTrained(rate, g);
    for (int j = 0; j < requests.length; j++) {
      changed[j] |= changes[j];
      if (!skips[j]) {
        vectors.copy(g, x);
        if (changed[j]) {
          vectors.axpy(1, change.row(j), x);
        }
        step(requests[j], rate);
      }
      differ(j);
    }
  }

  private void differ(int j) {
    vectors.copy(requests[j].theta, difference.row(j));
    vectors.axpy(-1, trained.theta, difference.row(j));
  }

  /** A step along x, which is overwritten; clips as {@code torch.nn.utils.clip_grad_norm_} does. */
  private void step(Stream stream, double rate) {
    if (options.clip() > 0) {
      double factor = options.clip() / (vectors.norm(x) + 1e-6);
      if (factor < 1) {
        vectors.scale(factor, x);
      }
    }
    stream.steps++;
    if (options.optimizer() == OptimizerKind.ADAMW) {
      vectors.adamW(adamW, rate, stream.steps, stream.theta, x, stream.first, stream.second);
      return;
    }
    if (options.weightDecay() != 0) {
      vectors.axpy(options.weightDecay(), stream.theta, x);
    }
    vectors.axpby(1, x, options.momentum(), stream.first);
    vectors.axpy(-rate, stream.first, stream.theta);
  }

  @Override
  public void close() {
    scope.close();
  }

  /** θ, then m and v of AdamW, or the buffer of SGD and null. */
  private static final class Stream {
    private final Tensor theta;
    private final Tensor first;
    private final Tensor second;
    private long steps;

    Stream(Tensor theta, Tensor first, Tensor second) {
      this.theta = theta;
      this.first = first;
      this.second = second;
    }
  }
}
