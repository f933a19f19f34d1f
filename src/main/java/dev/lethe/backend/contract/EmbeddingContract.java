package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.RandomBlocks;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.stream.Stream;

/** {@link EmbeddingKernels}: tables of every floating format. */
final class EmbeddingContract {
  private static final int[][] SIZES = {{1, 1, 1}, {5, 17, 3}, {33, 64, 100}, {100, 31, 13}, {9, 520, 5}};

  private EmbeddingContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int[] size : SIZES) {
      for (DType dtype : new DType[] {DType.F64, DType.F32, DType.F16, DType.BF16}) {
        String name =
            Text.format("embedding.forward %s(%d,%d), %d ids", dtype, size[0], size[1], size[2]);
        cases.add(bench.of(name, c -> forward(c, dtype, size[0], size[1], size[2])));
      }
    }
    return cases.build();
  }

  /** A table that stays packed in a block format. */
  static Stream<ContractCase> packed(KernelBench bench, DType format, int vocabulary, int width) {
    String name = Text.format("embedding.forward %s(%d,%d)", format, vocabulary, width);
    return Stream.of(bench.of(name, c -> forward(c, format, vocabulary, width, 7)));
  }

  private static void forward(KernelCase c, DType dtype, int vocabulary, int width, int count) {
    Slot ids = c.randomIndices("ids", count, vocabulary);
    Slot y = c.output("y", count, width);
    try (Scope host = c.bench().reference().openScope("table");
        Scope tested = c.bench().tested().openScope("table")) {
      Tensor table = table(c, dtype, host, vocabulary, width);
      FrozenEmbedding onTested = c.bench().tested().freezeEmbedding(table, tested);
      FrozenEmbedding onReference = c.bench().reference().freezeEmbedding(table, host);
      c.run(on -> forward(on, on.testedSide() ? onTested : onReference, ids, y));
    }
  }

  private static Tensor table(KernelCase c, DType dtype, Scope host, int vocabulary, int width) {
    if (dtype.isBlocks()) {
      return RandomBlocks.of(dtype, Shape.of(vocabulary, width), 1, c.random());
    }
    Tensor table = host.allocate(dtype, vocabulary, width);
    for (long i = 0; i < table.elements(); i++) {
      table.set(i, c.random().nextGaussian());
    }
    return table;
  }

  private static void forward(Side on, FrozenEmbedding table, Slot ids, Slot y) {
    Backend backend = on.backend();
    backend.run(new EmbeddingKernels.Forward(table, on.of(ids), on.of(y)));
  }
}
