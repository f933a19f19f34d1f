package dev.lethe.jmh;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A benchmark of kernels: a backend, the memory of its operands, and how long to measure. A subclass makes its
 * operands in {@link #prepare} and has one method a mode.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 700, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public abstract class KernelBenchmark {
  /** The backend by name. */
  @Param("cpu")
  public String device;

  protected Backend backend;
  private final SplittableRandom random = new SplittableRandom(1);
  private Scope scope;

  /** Makes the operands. */
  protected abstract void prepare();

  /** Threads of the backend: one, so that rates compare with those of one core. */
  protected int threads() {
    return 1;
  }

  @Setup(Level.Trial)
  public final void open() {
    backend = Backends.select(device, new BackendOptions(threads()));
    scope = backend.openScope("benchmark");
    prepare();
  }

  @TearDown(Level.Trial)
  public final void close() {
    scope.close();
    backend.close();
  }

  /** The memory that lives as long as the benchmark. */
  protected final Scope scope() {
    return scope;
  }

  /** Uniform numbers in ±1, in activation format. */
  protected final Tensor in(long... dims) {
    return uploaded(backend.activationType(), dims);
  }

  /** Uniform numbers in ±1, in vector format. */
  protected final Tensor vector(long... dims) {
    return uploaded(backend.vectorType(), dims);
  }

  /** An output in activation format. */
  protected final Tensor out(long... dims) {
    return scope.allocate(backend.activationType(), dims);
  }

  /** An output in vector format. */
  protected final Tensor vectorOut(long... dims) {
    return scope.allocate(backend.vectorType(), dims);
  }

  /** I32 numbers. */
  protected final Tensor indices(int... values) {
    Tensor target = scope.allocate(DType.I32, values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), target);
    return target;
  }

  /** n random indices below the bound. */
  protected final Tensor randomIndices(int n, int bound) {
    return indices(random.ints(n, 0, bound).toArray());
  }

  /** A frozen weight (out,in) without bias, prepared for both directions. */
  protected final FrozenLinear frozen(long out, long in) {
    return backend.freezeLinear(numbers(out, in), null, true, scope);
  }

  /** Uniform numbers in ±1 on the Java heap. */
  protected final Tensor numbers(long... dims) {
    Shape shape = Shape.of(dims);
    float[] values = new float[Math.toIntExact(shape.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return Tensor.of(shape, values);
  }

  private Tensor uploaded(DType dtype, long... dims) {
    Tensor target = scope.allocate(dtype, dims);
    backend.upload(numbers(dims), target);
    return target;
  }

  /** Bytes that the given tensors take together. */
  protected static double bytes(Tensor... tensors) {
    double sum = 0;
    for (Tensor tensor : tensors) {
      sum += tensor.byteSize();
    }
    return sum;
  }
}
