package dev.lethe.unlearn.baseline;

import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** A method that minimises an objective of forgotten and retained rows, from the original adapter on. */
interface DescentBaseline extends Baseline {
  /**
   * What is minimised.
   *
   * @param original the original adapter's parameters (P), constant
   */
  Descent.Objective objective(BaselineWork work, Tensor original);

  /** How. */
  default Descent descent(BaselineWork work) {
    return new Descent(work, settings());
  }

  @Override
  default int atATime(int forgotten) {
    return Math.min(settings().count("batch"), forgotten);
  }

  @Override
  default void apply(BaselineWork work, LoraAdapter adapter) {
    try (Scope scope = work.backend().openScope("original")) {
      Tensor original = work.vector(scope);
      work.backend().vectors().copy(adapter.theta(), original);
      descent(work).run(adapter.theta(), objective(work, original));
    }
  }
}
