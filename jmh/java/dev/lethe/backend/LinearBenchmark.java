package dev.lethe.backend;

import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Claim: a frozen linear layer runs near the machine's arithmetic peak with the Vector API, and works
 * without it. The counter {@code flops} is floating-point operations (2·N·in·out a call, forward and
 * backward alike) a second, to hold against the peak of the cores in use. Shapes are those of a small
 * Llama: the square attention projection and the wide gate projection.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class LinearBenchmark {
  private static final String NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED";

  /** The backend by name; {@code reference} works too, for scale. */
  @Param("cpu")
  public String device;

  @Param({"1", "2"})
  public int threads;

  /** N, in, out. */
  @Param({"512x288x288", "512x288x768"})
  public String size;

  private Backend backend;
  private Scope scope;
  private LoraLinear layer;
  private Tensor x;
  private Tensor y;
  private Tensor gy;
  private Tensor gx;
  private double flopsPerCall;

  /** Work done, reported per second. */
  @State(org.openjdk.jmh.annotations.Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Work {
    public double flops;
  }

  @Setup
  public void open() {
    String[] sizes = size.split("x");
    long n = Long.parseLong(sizes[0]);
    long in = Long.parseLong(sizes[1]);
    long out = Long.parseLong(sizes[2]);
    flopsPerCall = 2.0 * n * in * out;
    backend = Backends.select(device, new BackendOptions(threads));
    scope = backend.openScope("benchmark");
    SplittableRandom random = new SplittableRandom(1);
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("host", memory)) {
      Tensor weight = random(host, random, Shape.of(out, in));
      layer = new LoraLinear(backend.freezeLinear(weight, null, true, scope), null);
      x = uploaded(random(host, random, Shape.of(n, in)));
      gy = uploaded(random(host, random, Shape.of(1, n, out)));
    }
    y = scope.allocate(backend.activationType(), Shape.of(n, out));
    gx = scope.allocate(backend.activationType(), Shape.of(1, n, in));
  }

  private Tensor random(Scope host, SplittableRandom random, Shape shape) {
    Tensor tensor = host.allocate(backend.activationType(), shape);
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.set(i, random.nextDouble(-1, 1));
    }
    return tensor;
  }

  private Tensor uploaded(Tensor host) {
    Tensor copy = scope.allocate(backend.activationType(), host.shape());
    backend.upload(host, copy);
    return copy;
  }

  @TearDown
  public void close() {
    scope.close();
    backend.close();
  }

  @Benchmark
  @Fork(
      value = 2,
      jvmArgs = {NATIVE_ACCESS, "--add-modules=jdk.incubator.vector"})
  public void forward(Work work) {
    runForward(work);
  }

  @Benchmark
  @Fork(value = 2, jvmArgs = NATIVE_ACCESS)
  public void forwardWithoutVectorApi(Work work) {
    runForward(work);
  }

  @Benchmark
  @Fork(
      value = 2,
      jvmArgs = {NATIVE_ACCESS, "--add-modules=jdk.incubator.vector"})
  public void backward(Work work) {
    backend.lora().backward(layer, null, gy, null, gx, null, false);
    work.flops += flopsPerCall;
  }

  private void runForward(Work work) {
    backend.lora().forward(layer, null, x, x, null, y);
    work.flops += flopsPerCall;
  }
}
