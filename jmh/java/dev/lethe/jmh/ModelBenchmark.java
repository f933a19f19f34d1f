package dev.lethe.jmh;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A benchmark of whole derivatives of a small Llama ({@link ModelSize#SMALL}: four layers of width 192, all linear
 * layers adapted, four sequences of 64 tokens), by default on all threads.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(1)
@State(Scope.Benchmark)
public abstract class ModelBenchmark {
  /** The backend by name. */
  @Param("cpu")
  public String device;

  /** Threads of the backend; 0: as many as the machine has. */
  @Param("0")
  public int threads;

  protected ModelFixture model;

  /** The model's dimensions. */
  protected ModelSize size() {
    return ModelSize.SMALL;
  }

  /** Makes what a benchmark needs besides the model. */
  protected void prepare() {}

  /** Gives back what {@link #prepare} made. */
  protected void release() {}

  @Setup(Level.Trial)
  public final void open() {
    model = new ModelFixture(size(), device, threads);
    prepare();
  }

  @TearDown(Level.Trial)
  public final void close() {
    release();
    model.close();
  }
}
