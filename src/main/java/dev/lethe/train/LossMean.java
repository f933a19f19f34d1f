package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.data.Sample;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Over what the loss of a training step is a mean. */
public enum LossMean {
  /** Over the step's rows, each of which is the mean over its supervised tokens: rows count alike. */
  ROWS,
  /** Over all supervised tokens of the step, as in PEFT's and transformers' trainers: long rows count more. */
  TOKENS;

  /** By name, as on the command line. */
  public static LossMean of(String name) {
    return switch (name) {
      case "rows" -> ROWS;
      case "tokens" -> TOKENS;
      default ->
          throw new LetheException(
              "loss mean", "there is no mean of this name", "rows or tokens", name, "Choose one of them.");
    };
  }

  /** The name on the command line. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * What a step's rows weigh: wᵢ with the step's loss Σᵢ wᵢℓᵢ, ℓᵢ the mean over row i's supervised tokens.
   *
   * @param rows of the whole step, all its forward passes
   * @return 1/(number of rows), or tᵢ/Σt with tᵢ row i's supervised tokens
   */
  double[] weights(List<Sample> rows) {
    double[] weights = new double[rows.size()];
    if (this == ROWS) {
      Arrays.fill(weights, 1.0 / rows.size());
      return weights;
    }
    double all = rows.stream().mapToLong(Sample::supervised).sum();
    Arrays.setAll(weights, i -> rows.get(i).supervised() / all);
    return weights;
  }
}
