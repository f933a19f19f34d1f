package dev.lethe.trajectory;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * One optimiser step: gₖ = Σᵢ weights[i]·∇ℓ(rows[i]), then a step of size {@code rate}.
 *
 * @param rate learning rate of this step
 * @param rows its slots in order, as places in {@link TrainingLog#rows}; a removed row keeps its slot
 * @param weights of each slot's mean token loss in gₖ: 1/divisor as Lethe trains; 0 for a removed row
 */
public record LoggedStep(double rate, int[] rows, double[] weights) {
  public LoggedStep {
    if (rows.length != weights.length) {
      throw new ArgumentException(
          Text.format("a step of %d rows and %d weights", rows.length, weights.length));
    }
  }
}
