package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraKernels.Backward;
import dev.lethe.backend.kernel.LoraKernels.BackwardTangent;
import dev.lethe.tensor.DType;

/**
 * A backward mode of the layers of one input and then the gradients of their pairs, both of which read the outputs'
 * adjoints: a backend may read them once.
 *
 * @param adjoint one call for each layer
 * @param gradient one call for each layer with an adapter, in the same order, of what the others leave
 * @param mode which kernels
 * @param <B> the backward mode's call
 * @param <G> the gradient's call
 */
public record LoraAdjoint<B extends KernelCall, G extends KernelCall>(
    LoraGroup<B> adjoint, LoraGroup<G> gradient, Mode<B, G> mode) implements KernelCall {
  /** A method of {@link LoraKernels} that takes both. */
  @FunctionalInterface
  public interface Mode<B extends KernelCall, G extends KernelCall> {
    void run(LoraKernels kernels, LoraGroup<B> adjoint, LoraGroup<G> gradient);
  }

  /** {@link LoraKernels#backwards} and {@link LoraKernels#gradients}. */
  public static LoraAdjoint<Backward, Gradient> of(LoraGroup<Backward> adjoint, LoraGroup<Gradient> gradient) {
    return new LoraAdjoint<>(adjoint, gradient, LoraKernels::backwardsAndGradients);
  }

  /** {@link LoraKernels#backwardTangents} and {@link LoraKernels#gradientTangents}. */
  public static LoraAdjoint<BackwardTangent, GradientTangent> ofTangents(
      LoraGroup<BackwardTangent> adjoint, LoraGroup<GradientTangent> gradient) {
    return new LoraAdjoint<>(adjoint, gradient, LoraKernels::backwardAndGradientTangents);
  }

  @Override
  public String name() {
    return adjoint.name() + "AndGradient";
  }

  @Override
  public void require(Arguments check) {
    adjoint.require(check);
    gradient.require(check);
  }

  @Override
  public KernelCost cost(DType weights) {
    return adjoint.cost(weights).plus(gradient.cost(weights));
  }

  @Override
  public void on(Kernels kernels) {
    mode.run(kernels.lora(), adjoint, gradient);
  }
}
