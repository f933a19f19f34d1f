package dev.lethe.train;

import dev.lethe.tensor.Tensor;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Keeps what a training run leaves besides its result. Tensors are the run's own and change with the next
 * step.
 */
public interface TrainingSink {
  /** Keeps nothing. */
  TrainingSink NONE = new TrainingSink() {};

  /**
   * Called before the first step of a run or of the rest of a resumed one.
   *
   * @param updates optimiser steps done before; what was kept of later ones is to be dropped
   * @param theta θ (P) on the backend; θ₀ where {@code updates} is 0
   */
  default void begin(long updates, Tensor theta) {}

  /**
   * Called with every step's gradient before clipping.
   *
   * @param step with the weights that the gradient was made with
   * @param gradient (P) on the backend
   */
  default void onGradient(TrainingPlan.Step step, Tensor gradient) {}

  /**
   * Called after every optimiser step.
   *
   * @param updates optimiser steps done
   * @param state host copies of θ and the optimiser's vectors by {@code <vector>/<parameter name>}
   */
  default void afterStep(long updates, Supplier<Map<String, Tensor>> state) {}

  /** Called before a checkpoint is written: what was kept so far must be safe on the disk when it returns. */
  default void beforeCheckpoint() {}
}
