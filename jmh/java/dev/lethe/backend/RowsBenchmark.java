package dev.lethe.backend;

import dev.lethe.backend.kernel.DropoutKernels;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: selecting the supervised rows (gather: forward, tangent; scatter: backward, backward tangent), looking up
 * embeddings and dropout run at the speed of memory.
 */
public class RowsBenchmark extends KernelBenchmark {
  private static final int N = 512;
  private static final int D = 288;
  private static final int VOCABULARY = 4096;

  private FrozenEmbedding table;
  private Tensor ids;
  private Tensor rows;
  private Tensor keys;
  private Tensor x;
  private Tensor y;
  private Tensor few;

  @Override
  protected void prepare() {
    table = backend.freezeEmbedding(numbers(VOCABULARY, D), scope());
    ids = randomIndices(N, VOCABULARY);
    rows = indices(IntStream.range(0, N / 2).map(i -> 2 * i).toArray());
    keys = randomIndices(2 * N, Integer.MAX_VALUE).reshape(N, 2);
    x = in(1, N, D);
    y = out(1, N, D);
    few = in(1, N / 2, D);
  }

  @Benchmark
  public void gather(Counters.Bytes work) {
    backend.run(new RowKernels.Gather(rows, x, few));
    work.bytes += bytes(few, few);
  }

  @Benchmark
  public void scatter(Counters.Bytes work) {
    backend.run(new RowKernels.Scatter(rows, few, y));
    work.bytes += bytes(few, y);
  }

  @Benchmark
  public void embedding(Counters.Bytes work) {
    backend.run(new EmbeddingKernels.Forward(table, ids, y.row(0)));
    work.bytes += bytes(y, y);
  }

  @Benchmark
  public void dropout(Counters.Bytes work) {
    backend.run(new DropoutKernels.Apply(7, 0.1, keys, x, y, false));
    work.bytes += bytes(x, y);
  }
}
