package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.DropoutKernels;
import dev.lethe.tensor.Shape;
import java.util.stream.Stream;

/** {@link DropoutKernels}: the same mask everywhere, by the rows' keys, repeated per direction. */
final class DropoutContract {
  private static final long[][] SIZES = {
    {1, 1}, {3, 17}, {5, 64}, {2, 3, 33}, {3, 7, 100}, {1, 1, 5}, {3, 5, 64}
  };
  private static final long[] SEEDS = {0, 42, -1};

  private DropoutContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (long[] dims : SIZES) {
      for (double probability : new double[] {0, 0.1, 0.5, 0.9}) {
        for (boolean accumulate : new boolean[] {false, true}) {
          String name =
              Text.format(
                  "dropout.apply %s p=%.1f%s",
                  Shape.of(dims), probability, accumulate ? " accumulate" : "");
          cases.add(bench.of(name, c -> apply(c, dims, probability, accumulate)));
        }
      }
    }
    return cases.build();
  }

  private static void apply(KernelCase c, long[] dims, double probability, boolean accumulate) {
    long seed = SEEDS[c.random().nextInt(SEEDS.length)];
    int rows = (int) dims[dims.length - 2];
    Slot keys = c.indices("keys", c.random().ints(2L * rows).toArray());
    Slot x = c.activation("x", dims);
    Slot y = accumulate ? c.inOut("y", dims) : c.output("y", dims);
    c.run(
        on ->
            on.backend()
                .run(
                    new DropoutKernels.Apply(
                        seed,
                        probability,
                        on.of(keys).reshape(rows, 2),
                        on.of(x),
                        on.of(y),
                        accumulate)));
  }
}
