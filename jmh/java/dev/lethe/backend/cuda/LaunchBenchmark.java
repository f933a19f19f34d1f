package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.driver.IdleDevice;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Claim: Java spends less on a launch of a CUDA kernel than the driver does (about two microseconds), checks of
 * arguments included. Measured without a GPU, on a device whose launches do nothing: the bare call through the
 * foreign-function interface, and whole operations of the backend.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 700, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class LaunchBenchmark {
  private static final int N = 64;
  private static final int D = 64;

  private final Device device = new IdleDevice();
  private final Grid grid = Grid.of(64, 256);
  private final MemorySegment parameters = Arena.global().allocate(256);
  private Backend backend;
  private Scope scope;
  private Tensor a;
  private Tensor b;
  private GatedUnitKernels.Primal unit;
  private Tensor h;
  private Tensor w;
  private Tensor s;
  private Tensor r;

  @Setup
  public void open() {
    backend = new CudaBackend(new Cuda(device, DType.F32, TiledProducts::new));
    scope = backend.openScope("benchmark");
    a = scope.allocate(DType.F32, N, D);
    b = scope.allocate(DType.F32, N, D);
    unit = new GatedUnitKernels.Primal(Nonlinearity.SILU, a, b);
    h = scope.allocate(DType.F32, N, D);
    w = scope.allocate(DType.F32, D);
    s = scope.allocate(DType.F32, N, D);
    r = scope.allocate(DType.F32, N);
  }

  @TearDown
  public void close() {
    scope.close();
    backend.close();
  }

  @Benchmark
  public void bareLaunch() {
    device.launch(1, grid, parameters);
  }

  @Benchmark
  public void gatedUnitForward() {
    backend.run(new GatedUnitKernels.Forward(unit, h));
  }

  @Benchmark
  public void rmsNormForward() {
    backend.run(new RmsNormKernels.Forward(w, 1e-5, a, b, s, h, r));
  }
}
