package dev.lethe.backend;

import dev.lethe.backend.ReplayKernels.Step;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** What must hold for the arguments of {@link ReplayKernels}, whatever the backend. */
public final class ReplayChecks {
  private ReplayChecks() {}

  /**
   * Throws where a step's tensors and counts do not fit together.
   *
   * @param type the backend's vector type
   */
  public static void step(String operation, Step step, Tensor difference, DType type) {
    gradient(operation + ": g", step.g(), type);
    int k = step.clips().length;
    Require.tensor(operation + ": change", step.change(), type, k, step.g().dim(0));
    Require.tensor(operation + ": difference", difference, type, k, step.g().dim(0));
    Require.that(step.number() >= 1, operation + ": number", "1 for the first", step.number());
    Require.that(step.numbers().length == k, operation + ": numbers", k, step.numbers().length);
    for (long number : step.numbers()) {
      Require.that(number >= 0, operation + ": numbers", "0 for no step, or a step", number);
    }
  }

  /** Throws where a recorded gradient is no vector in BF16 or the vector type. */
  public static void gradient(String what, Tensor g, DType type) {
    Require.rank(what, g, 1);
    Require.that(g.dtype() == DType.BF16 || g.dtype() == type, what, "BF16 or " + type, g);
  }

  /** Throws where a vector of the recorded run and those of the runs do not fit a step. */
  public static void state(String what, Step step, Tensor recorded, Tensor runs, DType type) {
    Require.tensor(what + " of the recorded run", recorded, type, step.g().dim(0));
    Require.tensor(what + " of runs", runs, type, step.clips().length, step.g().dim(0));
  }
}
