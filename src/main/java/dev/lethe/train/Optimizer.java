package dev.lethe.train;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Map;

/** Turns gradients into steps. All state is in named vectors (P) and the number of steps done. */
sealed interface Optimizer permits AdamW, Sgd {
  /** The optimiser that the options ask for, its vectors in the given scope. */
  static Optimizer of(TrainOptions options, Backend backend, Scope scope, long parameters) {
    return switch (options.optimizer()) {
      case ADAMW -> new AdamW(options, backend, scope, parameters);
      case SGD -> new Sgd(options, backend, scope, parameters);
    };
  }

  /**
   * One step.
   *
   * @param step 1 for the first
   * @param theta (P), updated
   * @param g gradient (P), may be overwritten
   */
  void step(double learningRate, long step, Tensor theta, Tensor g);

  /** Its vectors by PyTorch's names. */
  Map<String, Tensor> state();
}
