package dev.lethe.unlearn.baseline;

import dev.lethe.data.Sample;

/** How much each row's gradient counts in that of an objective: ∂L/∂ℓᵢ, with ℓᵢ the mean over the row's tokens. */
@FunctionalInterface
interface RowWeights {
  /**
   * @param row its place among the rows that were given
   * @param sample the row
   * @param loss ℓᵢ at the present parameters
   */
  double of(int row, Sample sample, double loss);
}
