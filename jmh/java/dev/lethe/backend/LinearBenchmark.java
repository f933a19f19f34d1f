package dev.lethe.backend;

import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Param;

/**
 * Claim: a frozen linear layer runs near the machine's arithmetic peak ({@code PeakBenchmark}) in native code,
 * forward and backward, less so on the Vector API, and works without either. Shapes are those of a small Llama: the square attention
 * projection and the wide gate projection.
 */
public class LinearBenchmark extends KernelBenchmark {
  @Param({"1", "2"})
  public int threads;

  /** N, in, out. */
  @Param({"512x288x288", "512x288x768"})
  public String size;

  private LoraLinear layer;
  private Tensor x;
  private Tensor y;
  private Tensor gy;
  private Tensor gx;
  private double flops;

  @Override
  protected int threads() {
    return threads;
  }

  @Override
  protected void prepare() {
    String[] sizes = size.split("x");
    long n = Long.parseLong(sizes[0]);
    long in = Long.parseLong(sizes[1]);
    long out = Long.parseLong(sizes[2]);
    flops = 2.0 * n * in * out;
    layer = new LoraLinear(frozen(out, in), null);
    x = in(n, in);
    gy = in(1, n, out);
    y = out(n, out);
    gx = out(1, n, in);
  }

  @Benchmark
  public void forward(Counters.Flops work) {
    backend.run(new LoraKernels.Forward(layer, null, x, x, null, y));
    work.flops += flops;
  }

  @Benchmark
  @Fork(value = 1, jvmArgsAppend = "-Dlethe.cpu.native=false")
  public void forwardOnVectorApi(Counters.Flops work) {
    forward(work);
  }

  @Benchmark
  @Fork(
      value = 1,
      jvmArgs = {"--enable-native-access=ALL-UNNAMED", "-Dlethe.cpu.native=false"})
  public void forwardInPlainJava(Counters.Flops work) {
    forward(work);
  }

  @Benchmark
  public void backward(Counters.Flops work) {
    backend.run(
        new LoraKernels.Backward(
            layer, null, gy, null, new LoraKernels.InputAdjoint(gx, null, false)));
    work.flops += flops;
  }
}
