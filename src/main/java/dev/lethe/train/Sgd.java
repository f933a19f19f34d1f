package dev.lethe.train;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Map;

/**
 * Stochastic gradient descent as torch.optim.SGD does it: weight decay is the gradient of ½·wd·‖θ‖²
 * added to g, then b ← momentum·b + g and θ ← θ − lr·b.
 */
final class Sgd implements Optimizer {
  private final Backend backend;
  private final double momentum;
  private final double weightDecay;
  private final Tensor buffer;

  Sgd(TrainOptions options, Backend backend, Scope scope, long parameters) {
    this.backend = backend;
    this.momentum = options.momentum();
    this.weightDecay = options.weightDecay();
    this.buffer = scope.allocate(backend.vectorType(), parameters);
    backend.vectors().fill(buffer, 0);
  }

  @Override
  public void step(double learningRate, long step, Tensor theta, Tensor g) {
    if (weightDecay != 0) {
      backend.vectors().axpy(weightDecay, theta, g);
    }
    backend.vectors().axpby(1, g, momentum, buffer);
    backend.vectors().axpy(-learningRate, buffer, theta);
  }

  @Override
  public Map<String, Tensor> state() {
    return Map.of("momentum_buffer", buffer);
  }
}
