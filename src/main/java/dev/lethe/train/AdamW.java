package dev.lethe.train;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Map;

/** AdamW as torch.optim.AdamW does it. Loshchilov and Hutter, arXiv 1711.05101. */
final class AdamW implements Optimizer {
  static final String FIRST_MOMENT = "exp_avg";
  static final String SECOND_MOMENT = "exp_avg_sq";

  private final Backend backend;
  private final VectorKernels.AdamW options;
  private final Tensor m;
  private final Tensor v;

  AdamW(TrainOptions options, Backend backend, Scope scope, long parameters) {
    this.backend = backend;
    this.options =
        new VectorKernels.AdamW(
            options.beta1(), options.beta2(), options.epsilon(), options.weightDecay());
    this.m = scope.allocate(backend.vectorType(), parameters);
    this.v = scope.allocate(backend.vectorType(), parameters);
    backend.vectors().fill(m, 0);
    backend.vectors().fill(v, 0);
  }

  @Override
  public void step(double learningRate, long step, Tensor theta, Tensor g) {
    backend.vectors().adamW(options, learningRate, step, theta, g, m, v);
  }

  @Override
  public Map<String, Tensor> state() {
    return Map.of(FIRST_MOMENT, m, SECOND_MOMENT, v);
  }
}
