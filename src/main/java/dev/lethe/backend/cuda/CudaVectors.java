package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Vector arithmetic by kernels/vectors.cu and kernels/adamw.cu. */
final class CudaVectors implements VectorKernels {
  /**
   * Elements for each block of a sum, and the most blocks: numbers that do not depend on the device, so that
   * sums do not either.
   */
  private static final int SUM_ELEMENTS = 4096;

  private static final int SUM_BLOCKS = 512;

  private final Cuda cuda;

  CudaVectors(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void fill(Fill call) {
    cuda.plainKernel("vector_fill")
        .with(call.x()).with((float) call.value()).with(call.x().elements())
        .run(cuda.elements(call.x().elements()));
  }

  @Override
  public void copy(Copy call) {
    cuda.device().copy(Cuda.address(call.x()), Cuda.address(call.y()), call.x().byteSize());
  }

  @Override
  public void scale(Scale call) {
    cuda.plainKernel("vector_scale")
        .with((float) call.a()).with(call.x()).with(call.x().elements())
        .run(cuda.elements(call.x().elements()));
  }

  @Override
  public void axpby(Axpby call) {
    cuda.plainKernel("vector_axpby")
        .with((float) call.a()).with(call.x()).with((float) call.b()).with(call.y())
        .with(call.x().elements())
        .run(cuda.elements(call.x().elements()));
  }

  @Override
  public void dot(Dot call) {
    call.result()[0] =
        sum(cuda.plainKernel("vector_dot").with(call.x()).with(call.y()), call.x().elements());
  }

  @Override
  public void allFinite(AllFinite call) {
    call.result()[0] =
        sum(cuda.plainKernel("vector_not_finite").with(call.x()), call.x().elements()) == 0;
  }

  @Override
  public void adamW(StepAdamW call) {
    Kernel kernel =
        cuda.plainKernel("adamw_step")
            .with(call.theta()).with(call.g()).with(call.m()).with(call.v())
            .with(call.theta().elements());
    with(kernel, call.options().numbers(call.learningRate(), call.step()))
        .run(cuda.elements(call.theta().elements()));
  }

  /** What a step of AdamW does with every element, as the next seven parameters; kernels/optimizer.cuh takes them. */
  static Kernel with(Kernel kernel, AdamWNumbers step) {
    return kernel
        .with(step.decay()).with(step.gain1()).with(step.beta2()).with(step.gain2())
        .with(step.size()).with(step.rootGain()).with(step.epsilon());
  }

  /** Runs a kernel that leaves a sum for each block, waits, and adds them up in their order. */
  private double sum(Kernel kernel, long elements) {
    int blocks = sumBlocks(elements);
    double[] sums = new double[blocks];
    try (Scope scratch = cuda.scratch("sum")) {
      Tensor ofBlocks = scratch.allocate(DType.F64, blocks);
      kernel.with(ofBlocks).with(elements).run(Grid.of(blocks, Cuda.THREADS));
      cuda.device().download(Cuda.address(ofBlocks), MemorySegment.ofArray(sums));
    }
    double sum = 0;
    for (double s : sums) {
      sum += s;
    }
    return sum;
  }

  /** Blocks of a sum over so many elements. */
  static int sumBlocks(long elements) {
    return Math.clamp(Math.ceilDiv(elements, SUM_ELEMENTS), 1, SUM_BLOCKS);
  }
}
