package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.VectorKernels;
import dev.lethe.backend.cuda.driver.Grid;
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
  public void fill(Tensor x, double value) {
    require("vectors.fill: x", x);
    cuda.plainKernel("vector_fill")
        .with(x).with((float) value).with(x.elements())
        .run(cuda.elements(x.elements()));
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    require("vectors.copy: x", x);
    requireAlike("vectors.copy: y", x, y);
    cuda.device().copy(Cuda.address(x), Cuda.address(y), x.byteSize());
  }

  @Override
  public void scale(double a, Tensor x) {
    require("vectors.scale: x", x);
    cuda.plainKernel("vector_scale")
        .with((float) a).with(x).with(x.elements())
        .run(cuda.elements(x.elements()));
  }

  @Override
  public void axpby(double a, Tensor x, double b, Tensor y) {
    require("vectors.axpby: x", x);
    requireAlike("vectors.axpby: y", x, y);
    cuda.plainKernel("vector_axpby")
        .with((float) a).with(x).with((float) b).with(y).with(x.elements())
        .run(cuda.elements(x.elements()));
  }

  @Override
  public double dot(Tensor x, Tensor y) {
    require("vectors.dot: x", x);
    requireAlike("vectors.dot: y", x, y);
    return sum(cuda.plainKernel("vector_dot").with(x).with(y), x.elements());
  }

  @Override
  public boolean allFinite(Tensor x) {
    require("vectors.allFinite: x", x);
    return sum(cuda.plainKernel("vector_not_finite").with(x), x.elements()) == 0;
  }

  @Override
  public void adamW(
      AdamW options, double learningRate, long step, Tensor theta, Tensor g, Tensor m, Tensor v) {
    Require.that(step >= 1, "vectors.adamW: step", "1 for the first", step);
    require("vectors.adamW: theta", theta);
    requireAlike("vectors.adamW: g", theta, g);
    requireAlike("vectors.adamW: m", theta, m);
    requireAlike("vectors.adamW: v", theta, v);
    Kernel kernel =
        cuda.plainKernel("adamw_step").with(theta).with(g).with(m).with(v).with(theta.elements());
    AdamWNumbers.of(options, learningRate, step).to(kernel).run(cuda.elements(theta.elements()));
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

  private static void require(String what, Tensor x) {
    Require.that(x != null && x.dtype() == F32, what, "an F32 tensor", x);
  }

  private static void requireAlike(String what, Tensor x, Tensor y) {
    Require.tensor(what, y, F32, x.shape().toArray());
  }
}
