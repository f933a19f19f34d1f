package dev.lethe.unlearn.baseline;

import dev.lethe.nn.LoraAdapter;

/** A published way to make an adapter forget. */
public interface Baseline {
  /** Its name in {@code --method}. */
  String name();

  /** Its hyper-parameters. */
  Settings settings();

  /** What it does and where it is from, in a sentence. */
  String source();

  /**
   * Changes an adapter.
   *
   * @param work the request, and what computes and counts
   * @param adapter a copy of the task's own
   */
  void apply(BaselineWork work, LoraAdapter adapter);

  /** The most rows that it works on at a time where so many are to be forgotten, as far as it is the one who decides. */
  default int atATime(int forgotten) {
    return Integer.MAX_VALUE;
  }
}
