package dev.lethe.backend.cpu;

import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.WorkerPool;
import dev.lethe.tensor.HostAllocator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
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
 * Claim: handing a kernel to the threads of the CPU backend and waiting for them costs microseconds, far less than
 * the kernel.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 700, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
@State(Scope.Benchmark)
public class DispatchBenchmark {
  @Param({"1", "2"})
  public int threads;

  private final HostAllocator memory = new HostAllocator();
  private final long[] done = new long[64];
  private WorkerPool pool;

  @Setup
  public void open() {
    pool = new WorkerPool(threads, new Scratch.Source(memory));
  }

  @TearDown
  public void close() {
    pool.close();
  }

  /** As many tasks as threads; each counts in a cache line of its own. */
  @Benchmark
  public void emptyTasks() {
    pool.run(threads, (index, scratch) -> done[8 * index]++);
  }
}
