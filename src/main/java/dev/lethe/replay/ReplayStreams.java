package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.backend.kernel.ReplayKernels;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.TrainOptions;
import java.util.Arrays;

/**
 * The optimiser's state of the trained run and of k requests' runs, which are the trained one until they part. Every
 * run takes the steps that training would take, with its own clipping and its own count of steps.
 */
final class ReplayStreams implements AutoCloseable {
  private final Backend backend;
  private final TrainOptions options;
  private final OptimizerReplay trained;
  private final VectorKernels.AdamW adamW;
  private final Scope scope;
  private final Tensor thetas;
  private final Tensor first;
  private final Tensor second;
  private final Tensor difference;
  private final long[] counts;
  private final double[] norms;

  /**
   * @param initial host θ₀ (P)
   * @param k number of requests
   */
  ReplayStreams(Backend backend, TrainOptions options, Tensor initial, int k) {
    this.backend = backend;
    this.options = options;
    this.trained = new OptimizerReplay(backend, options, initial);
    this.adamW =
        new VectorKernels.AdamW(options.beta1(), options.beta2(), options.epsilon(), options.weightDecay());
    this.scope = backend.openScope("replayed runs");
    long size = initial.elements();
    this.thetas = scope.allocate(backend.vectorType(), k, size);
    this.first = scope.allocate(backend.vectorType(), k, size);
    this.second = adamW() ? scope.allocate(backend.vectorType(), k, size) : null;
    this.difference = scope.allocate(backend.vectorType(), k, size);
    this.counts = new long[k];
    this.norms = new double[1 + k];
  }

  private boolean adamW() {
    return options.optimizer() == OptimizerKind.ADAMW;
  }

  private Tensor trainedFirst() {
    return trained.state().get(adamW() ? "exp_avg" : "momentum_buffer");
  }

  private Tensor trainedSecond() {
    return trained.state().get("exp_avg_sq");
  }

  /** The trained run alone, as long as no other has parted from it. */
  OptimizerReplay trained() {
    return trained;
  }

  /** θ of the requests' runs (k,P). */
  Tensor thetas() {
    return thetas;
  }

  /** θ′ − θ of the requests' runs (k,P). */
  Tensor difference() {
    return difference;
  }

  /** The requests' runs begin where the trained one is. */
  void part() {
    Vectors vectors = backend.vectors();
    for (int j = 0; j < counts.length; j++) {
      vectors.copy(trained.theta(), thetas.row(j));
      vectors.copy(trainedFirst(), first.row(j));
      if (adamW()) {
        vectors.copy(trainedSecond(), second.row(j));
      }
    }
    Arrays.fill(counts, trained.steps());
    vectors.fill(difference, 0);
  }

  /** The requests' runs begin where a retraining left them. */
  void part(ReplayStart start) {
    boolean alike = start.thetas().dim(0) == 1;
    for (int j = 0; j < counts.length; j++) {
      int of = alike ? 0 : j;
      backend.upload(start.thetas().row(of), thetas.row(j));
      backend.upload(start.first().row(of), first.row(j));
      if (adamW()) {
        backend.upload(start.second().row(of), second.row(j));
      }
    }
    Arrays.fill(counts, start.count());
    backend.vectors().copy(thetas, difference);
    for (int j = 0; j < counts.length; j++) {
      backend.vectors().axpy(-1, trained.theta(), difference.row(j));
    }
  }

  /**
   * A step of every run.
   *
   * @param g recorded gradient (P)
   * @param change what each request adds to it (k,P)
   * @param skips whether a request's batch is empty and it takes no step
   */
  void step(double rate, Tensor g, Tensor change, boolean[] skips) {
    double[] clips = new double[counts.length];
    double clip = clips(g, change, clips);
    long[] numbers = new long[counts.length];
    for (int j = 0; j < counts.length; j++) {
      numbers[j] = skips[j] ? 0 : ++counts[j];
    }
    ReplayKernels.Step step =
        new ReplayKernels.Step(rate, g, clip, trained.steps() + 1, change, clips, numbers);
    if (adamW()) {
      backend.run(
          new ReplayKernels.StepAdamW(
              adamW,
              step,
              new ReplayKernels.AdamWState(trained.theta(), trainedFirst(), trainedSecond()),
              new ReplayKernels.AdamWState(thetas, first, second),
              difference));
    } else {
      backend.run(
          new ReplayKernels.StepSgd(
              new ReplayKernels.Sgd(options.momentum(), options.weightDecay()),
              step,
              new ReplayKernels.SgdState(trained.theta(), trainedFirst()),
              new ReplayKernels.SgdState(thetas, first),
              difference));
    }
    trained.stepped();
  }

  /** Factors that clip every run's gradient to the training's norm. */
  private double clips(Tensor g, Tensor change, double[] clips) {
    Arrays.fill(clips, 1);
    if (options.clip() == 0) {
      return 1;
    }
    backend.run(new ReplayKernels.SquaredNorms(g, change, norms));
    for (int j = 0; j < clips.length; j++) {
      clips[j] = factor(norms[1 + j]);
    }
    return factor(norms[0]);
  }

  private double factor(double squaredNorm) {
    return Math.min(1, options.clip() / (Math.sqrt(squaredNorm) + 1e-6));
  }

  @Override
  public void close() {
    scope.close();
    trained.close();
  }
}
