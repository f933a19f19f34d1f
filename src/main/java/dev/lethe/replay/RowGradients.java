package dev.lethe.replay;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.TrainingLog;
import java.util.List;

/** Gradients of single rows as training took them, dropout included. */
@FunctionalInterface
public interface RowGradients extends AutoCloseable {
  /**
   * out[j] += Σᵢ weights[j][i]·∇ℓ(rows[i]).
   *
   * @param step of the training run, from 0
   * @param weights k rows of as many numbers as there are rows
   * @param theta (P)
   * @param out (k,P)
   */
  void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out);

  /**
   * The same for the rows that some requests change, which will be asked for step by step at the recorded θ. Where
   * others share the work, it is made for several steps at a time. Whoever asks closes it; this one stays open.
   */
  default RowGradients ahead(TrainingLog log, List<ReplayRequest> requests) {
    return this::add;
  }

  @Override
  default void close() {}
}
