package dev.lethe.replay;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Gradients of single rows as training took them, dropout included. */
@FunctionalInterface
public interface RowGradients {
  /**
   * out[j] += Σᵢ weights[j][i]·∇ℓ(rows[i]).
   *
   * @param step of the training run, from 0
   * @param weights k rows of as many numbers as there are rows
   * @param theta (P)
   * @param out (k,P)
   */
  void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out);
}
