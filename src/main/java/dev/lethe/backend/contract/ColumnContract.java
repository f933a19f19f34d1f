package dev.lethe.backend.contract;

import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Some cases of kernels that take columns of wider tensors, made with such; none on backends that take none. */
final class ColumnContract {
  /** Of the cases of a group, one in so many. */
  private static final int STEP = 7;

  private ColumnContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    if (!bench.tested().takesColumns()) {
      return Stream.of();
    }
    return Stream.of(
            bench.inColumns(RmsNormContract::cases, "y", "dy", "gs", "gx", "dgs", "dgx"),
            bench.inColumns(RopeContract::cases, "x"),
            bench.inColumns(RowContract::outerProducts, "a", "b"),
            bench.inColumns(GatedUnitContract::cases, "a", "b", "h", "da", "db", "dh", "ga", "gb", "dga", "dgb"),
            bench.inColumns(AttentionContract::cases, "q", "k", "v", "o"),
            bench.inColumns(
                AttentionDerivativeContract::cases,
                "q", "k", "v", "o", "dq", "dk", "dv", "dO", "gq", "gk", "gv", "dgq", "dgk", "dgv"),
            bench.inColumns(LoraContract::cases, "x", "xa", "u", "y", "dx", "du", "dy", "gy", "h", "dgy", "dh"),
            bench.inColumns(LoraGradientContract::cases, "xa", "u", "h", "gy", "du", "dh", "dgy"))
        .flatMap(ColumnContract::some);
  }

  private static Stream<ContractCase> some(List<ContractCase> cases) {
    return IntStream.range(0, cases.size()).filter(i -> i % STEP == 0).mapToObj(cases::get);
  }
}
