package dev.lethe.backend;

import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Claim: the vector arithmetic of solvers and optimizers runs at the speed of memory and allocates nothing. */
public class VectorBenchmark extends KernelBenchmark {
  private static final int LENGTH = 1 << 18;

  private final VectorKernels.AdamW adamW = new VectorKernels.AdamW(0.9, 0.999, 1e-8, 0.01);
  private Tensor x;
  private Tensor y;
  private Tensor m;
  private Tensor v;

  @Override
  protected void prepare() {
    x = vector(LENGTH);
    y = vector(LENGTH);
    m = vector(LENGTH);
    v = vectorOut(LENGTH);
    backend.vectors().fill(v, 1);
  }

  @Benchmark
  public void axpby(Counters.Bytes work) {
    backend.vectors().axpby(0.5, x, 0.5, y);
    work.bytes += bytes(x, y, y);
  }

  @Benchmark
  public double dot(Counters.Bytes work) {
    work.bytes += bytes(x, y);
    return backend.vectors().dot(x, y);
  }

  @Benchmark
  public void adamWStep(Counters.Bytes work) {
    backend.vectors().adamW(adamW, 1e-6, 1000, x, y, m, v);
    work.bytes += bytes(x, x, y, m, m, v, v);
  }
}
