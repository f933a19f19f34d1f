package dev.lethe.replay.operator;

import dev.lethe.tensor.Tensor;

/**
 * Cₖ: how a retained batch's mean gradient changes with the parameters at step k of a training run.
 * Replay adds Cₖ(θ′ₖ − θₖ) to the recorded gradient in place of a model evaluation at θ′ₖ.
 */
public interface ReplayOperator extends AutoCloseable {
  /** Short name for reports. */
  String name();

  /**
   * out[j] += scale·Cₖ d[j].
   *
   * @param step k, from 0
   * @param d directions (k,P), vector type
   * @param out (k,P), vector type; not the memory of {@code d}
   */
  void addProduct(int step, Tensor d, double scale, Tensor out);

  @Override
  void close();
}
