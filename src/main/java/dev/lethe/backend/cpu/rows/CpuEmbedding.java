package dev.lethe.backend.cpu.rows;

import dev.lethe.ArgumentException;
import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.HostFloats;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Token embedding: rows are converted straight from the memory that the table was given in. */
public final class CpuEmbedding implements EmbeddingKernels {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final Cpu cpu;

  public CpuEmbedding(Cpu cpu) {
    this.cpu = cpu;
  }

  /** A table (V,D) that is read where it lies. */
  public static FrozenEmbedding table(Cpu cpu, Tensor host) {
    Require.rank("freezeEmbedding: table", host, 2);
    return new Table(host, new HostFloats("freezeEmbedding: table", host, cpu.rows()));
  }

  @Override
  public void forward(Forward call) {
    MemorySegment index = Cpu.memory(call.ids());
    MemorySegment out = Cpu.memory(call.y());
    HostFloats source = Table.of(call.table()).source();
    int width = Math.toIntExact(call.table().width());
    int n = Math.toIntExact(call.ids().elements());
    for (int i = 0; i < n; i++) {
      Require.index(call, "ids", i, index.get(INT, 4L * i), call.table().vocabulary());
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
    static Table of(FrozenEmbedding table) {
      if (table instanceof Table own) {
        return own;
      }
      throw new ArgumentException(
          "table: expected one frozen by the cpu backend, got " + table.getClass().getName());
    }

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
