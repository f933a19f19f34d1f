package dev.lethe.backend.contract;

import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.Expect;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.stream.Stream;

/** {@link SketchKernels}: rows in bfloat16 and in the vector type, one direction, several, and many. */
final class SketchContract {
  private static final int[][] SIZES = {
    {1, 1}, {2, 3}, {5, 17}, {13, 33}, {9, 100}, {33, 264}, {70, 31}, {3, 4099}, {17, 9001},
    {2, 20_001}, {0, 5}
  };
  private static final double SCALE = -0.7;
  private static final int[] DIRECTIONS = {1, 2, 5, 50};

  /** More directions than these only with rows of so many numbers in all, since the reference is slow. */
  private static final int FEW = 5;

  private static final int SMALL = 20_000;

  private SketchContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int[] size : SIZES) {
      for (DType type : new DType[] {DType.BF16, bench.tested().vectorType()}) {
        for (int k : DIRECTIONS) {
          if (k > FEW && size[0] * size[1] > SMALL) {
            continue;
          }
          Sizes s = new Sizes(size[0], size[1], k, type);
          cases.add(bench.of("sketch.dots " + s, c -> dots(c, s)));
          cases.add(bench.of("sketch.addCombination " + s, c -> combination(c, s)));
          cases.add(bench.of("sketch.addProduct " + s, c -> product(c, s)));
        }
      }
    }
    return cases.build();
  }

  private static void dots(KernelCase c, Sizes s) {
    Slot rows = c.input(s.type, "rows", s.n, s.width);
    Slot v = c.vector("v", s.k, s.width);
    Slot dots = c.vectorOutput("dots", s.k, s.n);
    c.run(on -> on.backend().run(new SketchKernels.Dots(on.of(rows), on.of(v), on.of(dots))));
  }

  private static void combination(KernelCase c, Sizes s) {
    Slot weights = c.vector("weights", s.k, s.n);
    Slot rows = c.input(s.type, "rows", s.n, s.width);
    Slot out = c.vectorInOut("out", s.k, s.width);
    c.run(
        on ->
            on.backend()
                .run(
                    new SketchKernels.AddCombination(
                        on.of(weights), SCALE, on.of(rows), on.of(out))));
  }

  private static void product(KernelCase c, Sizes s) {
    Slot rows = c.input(s.type, "rows", s.n, s.width);
    Slot v = c.vector("v", s.k, s.width);
    Slot start = c.vector("start", s.k, s.width);
    Slot out = c.vectorOutput("out", s.k, s.width);
    c.run(
        on -> {
          on.backend().vectors().copy(on.of(start), on.of(out));
          on.backend().run(new SketchKernels.AddProduct(on.of(rows), on.of(v), SCALE, on.of(out)));
          inTwoCalls(on, on.of(rows), on.of(v), on.of(start), on.of(out));
        });
  }

  /** The product has the bytes of its two halves. */
  private static void inTwoCalls(Side on, Tensor rows, Tensor v, Tensor start, Tensor product) {
    try (Scope scope = on.backend().openScope("two calls")) {
      Tensor dots = scope.allocate(v.dtype(), v.dim(0), rows.dim(0));
      Tensor out = scope.allocate(v.dtype(), v.shape());
      on.backend().vectors().copy(start, out);
      on.backend().run(new SketchKernels.Dots(rows, v, dots));
      on.backend().run(new SketchKernels.AddCombination(dots, SCALE, rows, out));
      Expect.same(on.numbers(out), on.numbers(product), "dots, then combination");
    }
  }

  /** N rows of so many numbers, and k directions. */
  private record Sizes(int n, int width, int k, DType type) {}
}
