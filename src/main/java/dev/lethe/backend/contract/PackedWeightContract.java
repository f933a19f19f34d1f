package dev.lethe.backend.contract;

import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Frozen weights that stay packed in blocks: the layer, the head and the embedding in all their modes, as the
 * reference computes them from the expanded numbers.
 */
final class PackedWeightContract {
  private static final List<DType> FORMATS =
      Arrays.stream(DType.values()).filter(DType::isBlocks).toList();

  private PackedWeightContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    return FORMATS.stream().flatMap(format -> cases(bench, format));
  }

  private static Stream<ContractCase> cases(KernelBench bench, DType format) {
    int block = format.blocks().elements();
    LoraSizes small = new LoraSizes(5, block, 33, 3, 2);
    LoraSizes deep = new LoraSizes(14, 7 * 256, 40, 4, 1);
    Stream<ContractCase> layers =
        Stream.of(small, deep).flatMap(z -> LoraContract.packed(bench, format, z));
    Stream<ContractCase> head = LossContract.packed(bench, format, 13, 2 * block, 257);
    return Stream.of(layers, head, EmbeddingContract.packed(bench, format, 9, 2 * block))
        .flatMap(cases -> cases);
  }
}
