package dev.lethe.backend;

import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Claim: the gated unit takes one pass over memory in each of the four modes. */
public class GatedUnitBenchmark extends KernelBenchmark {
  private static final int N = 512;
  private static final int F = 768;

  private Tensor a;
  private Tensor b;
  private GatedUnitKernels.Primal unit;
  private Tensor h;
  private Tensor gh;
  private Tensor da;
  private Tensor db;
  private Tensor dgh;
  private Tensor one;
  private Tensor two;

  @Override
  protected void prepare() {
    a = in(N, F);
    b = in(N, F);
    unit = new GatedUnitKernels.Primal(Nonlinearity.SILU, a, b);
    h = out(N, F);
    gh = in(1, N, F);
    da = in(1, N, F);
    db = in(1, N, F);
    dgh = in(1, N, F);
    one = out(1, N, F);
    two = out(1, N, F);
  }

  @Benchmark
  public void forward(Counters.Bytes work) {
    backend.run(new GatedUnitKernels.Forward(unit, h));
    work.bytes += bytes(a, b, h);
  }

  @Benchmark
  public void tangent(Counters.Bytes work) {
    backend.run(new GatedUnitKernels.Tangent(unit, da, db, one));
    work.bytes += bytes(a, b, da, db, one);
  }

  @Benchmark
  public void backward(Counters.Bytes work) {
    backend.run(new GatedUnitKernels.Backward(unit, gh, one, two));
    work.bytes += bytes(a, b, gh, one, two);
  }

  @Benchmark
  public void backwardTangent(Counters.Bytes work) {
    backend.run(new GatedUnitKernels.BackwardTangent(unit, gh.row(0), da, db, dgh, one, two));
    work.bytes += bytes(a, b, gh, da, db, dgh, one, two);
  }
}
