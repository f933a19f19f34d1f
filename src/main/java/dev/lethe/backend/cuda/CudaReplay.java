package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.ReplayKernels;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Steps of all runs by kernels/replay.cu, one launch a step. */
final class CudaReplay implements ReplayKernels {
  /** Numbers that a run has for its own. */
  private static final int SETTINGS = 4;

  /** Runs whose norms a block sums together. */
  private static final int TOGETHER = 4;

  private final Cuda cuda;

  CudaReplay(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void adamW(StepAdamW call) {
    AdamWState recorded = call.recorded();
    AdamWState runs = call.runs();
    Step step = call.step();
    AdamWNumbers first = call.options().numbers(step.learningRate(), step.number());
    try (Scope scratch = cuda.scratch("replay")) {
      Tensor settings = settings(step, call.options(), scratch);
      Kernel kernel = kernel("replay_adamw", step, settings);
      kernel
          .with(recorded.theta()).with(recorded.m()).with(recorded.v()).with(runs.theta())
          .with(runs.m()).with(runs.v()).with(call.difference()).with(step.g().dim(0))
          .with((long) step.clips().length);
      CudaVectors.with(kernel, first).run(cuda.elements(step.g().dim(0)));
    }
  }

  @Override
  public void sgd(StepSgd call) {
    SgdState recorded = call.recorded();
    SgdState runs = call.runs();
    Step step = call.step();
    try (Scope scratch = cuda.scratch("replay")) {
      Tensor settings = settings(step, null, scratch);
      kernel("replay_sgd", step, settings)
          .with(recorded.theta()).with(recorded.buffer()).with(runs.theta()).with(runs.buffer())
          .with(call.difference()).with(step.g().dim(0)).with((long) step.clips().length)
          .with((float) step.learningRate()).with((float) call.options().momentum())
          .with((float) call.options().weightDecay())
          .run(cuda.elements(step.g().dim(0)));
    }
  }

  private Kernel kernel(String name, Step step, Tensor settings) {
    return cuda.kernel(name, step.g().dtype())
        .with(step.g()).with((float) step.clip()).with(step.change()).with(settings);
  }

  /** What differs between runs, (k,4): factor, rate, root of AdamW, and whether there is a step. */
  private Tensor settings(Step step, VectorKernels.AdamW options, Scope scratch) {
    int k = step.clips().length;
    if (k == 0) {
      return null;
    }
    float[] rows = new float[k * SETTINGS];
    for (int j = 0; j < k; j++) {
      long number = step.numbers()[j];
      rows[j * SETTINGS] = (float) step.clips()[j];
      if (options != null && number > 0) {
        AdamWNumbers own = options.numbers(step.learningRate(), number);
        rows[j * SETTINGS + 1] = own.size();
        rows[j * SETTINGS + 2] = own.rootGain();
      }
      rows[j * SETTINGS + 3] = number > 0 ? 1 : 0;
    }
    Tensor settings = scratch.allocate(F32, k, SETTINGS);
    cuda.device().upload(MemorySegment.ofArray(rows), Cuda.address(settings));
    return settings;
  }

  @Override
  public void squaredNorms(SquaredNorms call) {
    Tensor g = call.g();
    double[] norms = call.norms();
    int k = norms.length - 1;
    long n = g.dim(0);
    int blocks = CudaVectors.sumBlocks(n);
    double[] sums = new double[norms.length * blocks];
    try (Scope scratch = cuda.scratch("norms")) {
      Tensor ofBlocks = scratch.allocate(DType.F64, norms.length, blocks);
      int groups = Math.max(1, Math.ceilDiv(k, TOGETHER));
      cuda.kernel("replay_norms", g.dtype())
          .with(g).with(call.change()).with(ofBlocks).with(n).with((long) k)
          .run(new Grid(blocks, groups, 1, Cuda.THREADS, 0));
      cuda.device().download(Cuda.address(ofBlocks), MemorySegment.ofArray(sums));
    }
    for (int i = 0; i < norms.length; i++) {
      norms[i] = 0;
      for (int block = 0; block < blocks; block++) {
        norms[i] += sums[i * blocks + block];
      }
    }
  }
}
