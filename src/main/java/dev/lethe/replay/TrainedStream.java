package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.TrainingLog;

/**
 * A training run replayed from its log, without a model: θₖ and the optimiser's moments before step k. From gradients
 * in the vector type they are training's to the bit.
 */
public final class TrainedStream implements AutoCloseable {
  private final Backend backend;
  private final VectorKernels vectors;
  private final TrainOptions options;
  private final VectorKernels.AdamW adamW;
  private final Scope scope;
  private final Tensor theta;
  private final Tensor first;
  private final Tensor second;
  private final Tensor x;
  private long steps;

  /**
   * @param initial host θ₀ (P)
   */
  public TrainedStream(Backend backend, TrainOptions options, Tensor initial) {
    this.backend = backend;
    this.vectors = backend.vectors();
    this.options = options;
    this.adamW =
        new VectorKernels.AdamW(options.beta1(), options.beta2(), options.epsilon(), options.weightDecay());
    this.scope = backend.openScope("trained run");
    this.theta = scope.allocate(backend.vectorType(), initial.elements());
    this.first = zeros(initial.elements());
    this.second = options.optimizer() == OptimizerKind.ADAMW ? zeros(initial.elements()) : null;
    this.x = scope.allocate(backend.vectorType(), initial.elements());
    backend.upload(initial, theta);
  }

  private Tensor zeros(long size) {
    Tensor zeros = scope.allocate(backend.vectorType(), size);
    vectors.fill(zeros, 0);
    return zeros;
  }

  /** θₖ (P). */
  public Tensor theta() {
    return theta;
  }

  /** AdamW's m or SGD's buffer (P). */
  public Tensor first() {
    return first;
  }

  /** AdamW's v (P); null for SGD. */
  public Tensor second() {
    return second;
  }

  /** Steps taken, k. */
  public long steps() {
    return steps;
  }

  /** Takes the log's steps up to θₖ, which must not lie behind. */
  public void to(int k, TrainingLog log) {
    while (steps < k) {
      int step = Math.toIntExact(steps);
      backend.upload(log.gradient(step), x);
      clippedStep(log.step(step).rate());
    }
  }

  /** A step along a gradient before clipping (P), which stays as it is. */
  void step(double rate, Tensor g) {
    vectors.copy(g, x);
    clippedStep(rate);
  }

  /** A step along x, clipped as {@code torch.nn.utils.clip_grad_norm_} does. */
  private void clippedStep(double rate) {
    if (options.clip() > 0) {
      double factor = options.clip() / (vectors.norm(x) + 1e-6);
      if (factor < 1) {
        vectors.scale(factor, x);
      }
    }
    steps++;
    if (options.optimizer() == OptimizerKind.ADAMW) {
      vectors.adamW(adamW, rate, steps, theta, x, first, second);
      return;
    }
    if (options.weightDecay() != 0) {
      vectors.axpy(options.weightDecay(), theta, x);
    }
    vectors.axpby(1, x, options.momentum(), first);
    vectors.axpy(-rate, first, theta);
  }

  /** A step was taken together with other runs. */
  void stepped() {
    steps++;
  }

  VectorKernels.AdamW adamW() {
    return adamW;
  }

  @Override
  public void close() {
    scope.close();
  }
}
