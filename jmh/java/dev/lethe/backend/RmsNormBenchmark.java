package dev.lethe.backend;

import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Claim: residual add and RMSNorm together take one pass over memory in each of the four modes. */
public class RmsNormBenchmark extends KernelBenchmark {
  private static final int N = 512;
  private static final int D = 288;

  private Tensor w;
  private Tensor x;
  private Tensor f;
  private Tensor s;
  private Tensor r;
  private Tensor gy;
  private Tensor dx;
  private Tensor df;
  private Tensor ds;
  private Tensor gs;
  private Tensor dgy;
  private Tensor y;
  private Tensor out;

  @Override
  protected void prepare() {
    w = in(D);
    x = in(N, D);
    f = in(N, D);
    s = out(N, D);
    y = out(N, D);
    r = vectorOut(N);
    gy = in(1, N, D);
    dx = in(1, N, D);
    df = in(1, N, D);
    ds = out(1, N, D);
    gs = in(1, N, D);
    dgy = in(1, N, D);
    out = out(1, N, D);
    backend.run(new RmsNormKernels.Forward(w, 1e-5, x, f, s, y, r));
    backend.run(new RmsNormKernels.Tangent(new RmsNormKernels.Primal(w, s, r), dx, df, ds, out));
  }

  @Benchmark
  public void forward(Counters.Bytes work) {
    backend.run(new RmsNormKernels.Forward(w, 1e-5, x, f, s, y, r));
    work.bytes += bytes(x, f, s, y);
  }

  @Benchmark
  public void tangent(Counters.Bytes work) {
    backend.run(new RmsNormKernels.Tangent(new RmsNormKernels.Primal(w, s, r), dx, df, ds, out));
    work.bytes += bytes(s, dx, df, ds, out);
  }

  @Benchmark
  public void backward(Counters.Bytes work) {
    backend.run(new RmsNormKernels.Backward(new RmsNormKernels.Primal(w, s, r), gs, gy, out));
    work.bytes += bytes(s, gs, gy, out);
  }

  @Benchmark
  public void backwardTangent(Counters.Bytes work) {
    backend.run(
        new RmsNormKernels.BackwardTangent(
            new RmsNormKernels.Primal(w, s, r), gy.row(0), ds, gs, dgy, out));
    work.bytes += bytes(s, gy, ds, gs, dgy, out);
  }
}
