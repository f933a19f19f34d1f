package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.ScaledSumKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.stream.Stream;

/** {@link ScaledSumKernels}: with and without f, in place of either side or not. */
final class ScaledSumContract {
  private static final long[][] SIZES = {{1, 1}, {3, 17}, {5, 64}, {2, 3, 33}, {3, 7, 100}};

  /** Where y lies. */
  private enum Place {
    APART,
    ON_X,
    ON_F
  }

  private ScaledSumContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (long[] dims : SIZES) {
      for (double factor : new double[] {1, -2.5}) {
        for (Place place : Place.values()) {
          for (boolean hasF : new boolean[] {true, false}) {
            if (hasF || place != Place.ON_F) {
              String name =
                  Text.format(
                      "scaledSum.apply %s c=%.1f%s, y %s",
                      Shape.of(dims), factor, hasF ? "" : " f=null", place);
              cases.add(bench.of(name, c -> apply(c, dims, factor, place, hasF)));
            }
          }
        }
      }
    }
    return cases.build();
  }

  private static void apply(
      KernelCase c, long[] dims, double factor, Place place, boolean hasF) {
    Slot y = place == Place.APART ? c.output("y", dims) : c.inOut("y", dims);
    Slot x = place == Place.ON_X ? y : c.activation("x", dims);
    Slot f = place == Place.ON_F ? y : c.activationOrNull(hasF, "f", dims);
    c.run(
        on -> {
          Tensor added = f == null ? null : on.of(f);
          on.backend().run(new ScaledSumKernels.Apply(factor, on.of(x), added, on.of(y)));
        });
  }
}
