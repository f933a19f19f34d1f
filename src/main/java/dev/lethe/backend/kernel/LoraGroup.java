package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * One mode's calls of layers that read one input, in the layers' order. A backend may make them together where their
 * tensors lie side by side; otherwise, and with the same meaning, it makes one after another.
 *
 * @param calls one for each layer; what adds up adjoints of the input runs from the last to the first
 * @param whole the matrix whose columns are the calls' wide tensors and, right behind them, the narrow ones that the mode
 *     makes, with as many columns again behind those; null where they lie apart
 * @param mode which kernel
 * @param <C> the mode's call
 */
public record LoraGroup<C extends KernelCall>(List<C> calls, Tensor whole, Mode<C> mode) implements KernelCall {
  /** A method of {@link LoraKernels} that takes a group. */
  @FunctionalInterface
  public interface Mode<C extends KernelCall> {
    void run(LoraKernels kernels, LoraGroup<C> group);
  }

  /** {@link LoraKernels#forward} of each; {@code whole} has x and the u's. */
  public static LoraGroup<LoraKernels.Forward> forward(List<LoraKernels.Forward> calls, Tensor whole) {
    return new LoraGroup<>(calls, whole, LoraKernels::forwards);
  }

  /** {@link LoraKernels#tangent} of each; {@code whole} has ẋ and the u̇'s. */
  public static LoraGroup<LoraKernels.Tangent> tangent(List<LoraKernels.Tangent> calls, Tensor whole) {
    return new LoraGroup<>(calls, whole, LoraKernels::tangents);
  }

  /** {@link LoraKernels#backward} of each; {@code whole} has the ȳ's and the h's. */
  public static LoraGroup<LoraKernels.Backward> backward(List<LoraKernels.Backward> calls, Tensor whole) {
    return new LoraGroup<>(calls, whole, LoraKernels::backwards);
  }

  /** {@link LoraKernels#backwardTangent} of each; {@code whole} has the ȳ̇'s and the ḣ's. */
  public static LoraGroup<LoraKernels.BackwardTangent> backwardTangent(
      List<LoraKernels.BackwardTangent> calls, Tensor whole) {
    return new LoraGroup<>(calls, whole, LoraKernels::backwardTangents);
  }

  /** {@link LoraGradientKernels#gradient} of each. */
  public static LoraGroup<LoraGradientKernels.Gradient> gradient(List<LoraGradientKernels.Gradient> calls) {
    return new LoraGroup<>(calls, null, LoraKernels::gradients);
  }

  /** {@link LoraGradientKernels#gradientTangent} of each. */
  public static LoraGroup<LoraGradientKernels.GradientTangent> gradientTangent(
      List<LoraGradientKernels.GradientTangent> calls) {
    return new LoraGroup<>(calls, null, LoraKernels::gradientTangents);
  }

  @Override
  public String name() {
    return calls.getFirst().name();
  }

  @Override
  public void require(Arguments check) {
    calls.forEach(call -> call.require(check));
  }

  /** Each call's: what they read in common is counted for each. */
  @Override
  public KernelCost cost(DType weights) {
    return calls.stream().map(call -> call.cost(weights)).reduce(KernelCost.NONE, KernelCost::plus);
  }

  @Override
  public void on(Kernels kernels) {
    mode.run(kernels.lora(), this);
  }
}
