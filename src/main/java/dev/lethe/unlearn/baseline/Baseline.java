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
}
