package dev.lethe.replay;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.data.Sample;

/**
 * What becomes of one row of a training run.
 *
 * @param original as training read it
 * @param replacement what it should have read instead; null for a removal
 * @param part how much of the row's weight is taken back: 1 for all of it
 */
public record RowChange(Sample original, Sample replacement, double part) {
  public RowChange {
    if (!(part > 0 && part <= 1)) {
      throw new ArgumentException(Text.format("a part of %s of a row's weight", part));
    }
  }

  /** The row goes. */
  public static RowChange removal(Sample original) {
    return new RowChange(original, null, 1);
  }

  /** The row is replaced; a null replacement removes it. */
  public static RowChange of(Sample original, Sample replacement) {
    return new RowChange(original, replacement, 1);
  }

  /** Whether nothing takes the row's place. */
  public boolean removes() {
    return replacement == null;
  }
}
