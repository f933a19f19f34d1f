package dev.lethe.autograd;

import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelRecording;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * The gradient of one tape, taken again and again while the numbers in θ change: forward and backward as one
 * recording where the backend records.
 */
public final class GradientStep implements AutoCloseable {
  private final Backend backend;
  private final CrossEntropy end;
  private final Scope scope;
  private final Tensor rowLosses;
  private final KernelRecording step;

  /**
   * Prepares the step; nothing runs yet.
   *
   * @param tape without dropout
   * @param theta parameters (P)
   * @param scale of what is added
   * @param g (P), what is added to
   */
  public GradientStep(Backend backend, Tape tape, Tensor theta, double scale, Tensor g) {
    this.backend = backend;
    this.end = tape.loss();
    this.scope = backend.openScope("gradient step");
    this.rowLosses = scope.allocate(backend.vectorType(), end.weights().elements());
    Tensor row = g.reshape(1, g.elements());
    this.step =
        backend.record(
            "gradient",
            () ->
                Gradients.run(
                    backend,
                    tape,
                    theta,
                    rowLosses,
                    (slot, kept) -> backend.run(new LoraGradientKernels.Gradient(slot, kept, scale, row))));
  }

  /**
   * Adds scale·Σᵢ∇ℓᵢ at θ as it is now to g.
   *
   * @return ℓᵢ of every sample
   */
  public double[] add() {
    step.replay();
    return Gradients.sampleLosses(backend, end, rowLosses);
  }

  /** Whether the next {@link #add} is one call of the device. */
  public boolean recorded() {
    return step.recorded();
  }

  /** Gives back what the step keeps; closing twice is harmless. */
  @Override
  public void close() {
    step.close();
    scope.close();
  }
}
