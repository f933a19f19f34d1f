package dev.lethe.backend.kernel;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;

/**
 * One call of a kernel: its arguments under their names. Calls are made by {@link Backend#run}, which checks the
 * arguments before any backend sees them, so that kernels need no checks of shapes and formats of their own.
 *
 * <p>A call is a record beside the kernel that computes it, as {@link GatedUnitKernels.Forward} is beside {@link
 * GatedUnitKernels#forward}.
 */
public interface KernelCall {
  /** Group and mode, as in {@code lora.forward}; messages and times bear it. */
  String name();

  /** Throws where an argument has not the shape or format that the others and the backend ask for. */
  void require(Arguments check);

  /**
   * The least that the call has to do, counted from the shapes of its arguments.
   *
   * @param weights the format of frozen weights
   */
  KernelCost cost(DType weights);

  /** Computes the call with the kernels of a backend. */
  void on(Kernels kernels);
}
