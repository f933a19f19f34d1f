package dev.lethe.trajectory;

import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import java.util.List;

/**
 * What a training run did, step by step: enough to replay its optimiser without a model. Tensors are in
 * host memory and read-only.
 */
public interface TrainingLog {
  /** The optimiser, its constants and the clipping norm. Rates and divisors are those of the steps. */
  TrainOptions options();

  /** The rows that training read; steps name them by their place in this list. */
  List<LoggedRow> rows();

  /** θ₀ (P). */
  Tensor initial();

  /** Number of optimiser steps, K. */
  int steps();

  /** Step k, from 0. */
  LoggedStep step(int k);

  /** gₖ (P): the batch gradient of step k before clipping, at θₖ. */
  Tensor gradient(int k);

  /** Starts to read gₖ into memory, where that can be done beside other work. */
  default void prefetch(int k) {}
}
