package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.Require;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Token embedding: rows are converted straight from the memory that the table was given in. */
final class CpuEmbedding implements EmbeddingKernels {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final Cpu cpu;

  CpuEmbedding(Cpu cpu) {
    this.cpu = cpu;
  }

  /** A table (V,D) that is read where it lies. */
  static FrozenEmbedding table(Tensor host) {
    Require.rank("freezeEmbedding: table", host, 2);
    return new Table(host, new HostFloats("freezeEmbedding: table", host));
  }

  @Override
  public void forward(FrozenEmbedding table, Tensor ids, Tensor y) {
    Require.that(
        table instanceof Table, "embedding.forward: table", "one frozen by the cpu backend", table);
    Require.rank("embedding.forward: ids", ids, 1);
    Require.tensor("embedding.forward: ids", ids, DType.I32, ids.dim(0));
    Require.tensor("embedding.forward: y", y, F32, ids.dim(0), table.width());
    MemorySegment index = Cpu.memory(ids);
    MemorySegment out = Cpu.memory(y);
    HostFloats source = ((Table) table).source();
    int width = Math.toIntExact(table.width());
    int n = Math.toIntExact(ids.elements());
    for (int i = 0; i < n; i++) {
      Require.index("embedding.forward: ids", i, index.get(INT, 4L * i), table.vocabulary());
    }
    cpu.pool()
        .runRanges(
            n,
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (int i = from; i < to; i++) {
                long id = index.get(INT, 4L * i);
                source.read(id * width, width, out, 4L * i * width);
              }
            });
  }

  private record Table(Tensor host, HostFloats source) implements FrozenEmbedding {
    @Override
    public long vocabulary() {
      return host.dim(0);
    }

    @Override
    public long width() {
      return host.dim(1);
    }
  }
}
