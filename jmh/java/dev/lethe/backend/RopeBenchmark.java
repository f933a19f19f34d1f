package dev.lethe.backend;

import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: rotary positions take one pass over memory, in place, forward (forward, tangent) and backward (backward,
 * backward tangent).
 */
public class RopeBenchmark extends KernelBenchmark {
  private static final int N = 512;
  private static final int HEADS = 6;
  private static final int SIZE = 48;

  private RopeTable table;
  private Tensor positions;
  private Tensor x;

  @Override
  protected void prepare() {
    table = new RopeTable(turn(true), turn(false), SIZE);
    positions = indices(IntStream.range(0, N).toArray());
    x = in(1, N, HEADS * SIZE);
  }

  /** Cosines or sines, so that repeated rotation keeps the size of numbers. */
  private Tensor turn(boolean cosines) {
    Tensor host = numbers(N, SIZE / 2);
    for (long i = 0; i < host.elements(); i++) {
      host.set(i, cosines ? Math.cos(i) : Math.sin(i));
    }
    Tensor target = vectorOut(N, SIZE / 2);
    backend.upload(host, target);
    return target;
  }

  @Benchmark
  public void forward(Counters.Bytes work) {
    backend.run(new RopeKernels.Rotate(table, positions, x, false));
    work.bytes += bytes(x, x);
  }

  @Benchmark
  public void backward(Counters.Bytes work) {
    backend.run(new RopeKernels.Rotate(table, positions, x, true));
    work.bytes += bytes(x, x);
  }
}
