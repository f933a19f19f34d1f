package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.tensor.Shape;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** {@link RowKernels}: none, some and all rows, of one primal or several directions; columns; outer products. */
final class RowContract {
  private static final int[][] SIZES = {{1, 1}, {5, 17}, {13, 33}, {31, 2}, {7, 100}, {9, 264}, {40, 8}};

  /** Rows, and the widths of both factors. */
  private static final int[][] PRODUCTS = {
    {1, 1, 1}, {3, 2, 5}, {17, 13, 7}, {33, 40, 65}, {600, 5, 33}, {1100, 48, 12}, {0, 3, 4}
  };

  /** Rows, both widths, the first column in each and how many. */
  private static final int[][] COLUMNS = {
    {1, 1, 1, 0, 0, 1}, {5, 17, 6, 11, 0, 6}, {13, 33, 40, 0, 7, 33}, {7, 96, 32, 64, 0, 32}, {9, 32, 96, 0, 32, 32},
    {3, 24, 24, 8, 3, 13}
  };

  private RowContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int[] size : SIZES) {
      int n = size[0];
      for (int[] rows :
          new int[][] {{}, {n - 1}, everySecond(n), IntStream.range(0, n).toArray()}) {
        for (int k = 0; k <= 3; k++) {
          long[] all = dims(k, n, size[1]);
          long[] some = dims(k, rows.length, size[1]);
          String sizes = Text.format(" %s rows %s", Shape.of(all), Arrays.toString(rows));
          cases.add(bench.of("rows.gather" + sizes, c -> gather(c, rows, all, some)));
          cases.add(bench.of("rows.scatter" + sizes, c -> scatter(c, rows, all, some)));
        }
      }
    }
    for (int[] size : COLUMNS) {
      for (int k = 0; k <= 3; k++) {
        long[] from = dims(k, size[0], size[1]);
        long[] to = dims(k, size[0], size[2]);
        String sizes = Text.format(" %s %s %s", Shape.of(from), Shape.of(to), Arrays.toString(size));
        cases.add(bench.of("rows.copyColumns" + sizes, c -> copyColumns(c, from, to, size)));
      }
    }
    return Stream.concat(cases.build(), outerProducts(bench));
  }

  static Stream<ContractCase> outerProducts(KernelBench bench) {
    return Stream.of(PRODUCTS)
        .map(
            size ->
                bench.of(
                    "rows.addOuter " + Arrays.toString(size),
                    c -> addOuter(c, size[0], size[1], size[2])));
  }

  private static void gather(KernelCase c, int[] rows, long[] all, long[] some) {
    Slot indices = c.indices("rows", rows);
    Slot x = c.activation("x", all);
    Slot y = c.output("y", some);
    c.run(on -> on.backend().run(new RowKernels.Gather(on.of(indices), on.of(x), on.of(y))));
  }

  private static void scatter(KernelCase c, int[] rows, long[] all, long[] some) {
    Slot indices = c.indices("rows", rows);
    Slot gy = c.activation("gy", some);
    Slot gx = c.output("gx", all);
    c.run(on -> on.backend().run(new RowKernels.Scatter(on.of(indices), on.of(gy), on.of(gx))));
  }

  private static void copyColumns(KernelCase c, long[] from, long[] to, int[] size) {
    Slot x = c.activation("from", from);
    Slot y = c.inOut("to", to);
    c.run(
        on ->
            on.backend()
                .run(
                    new RowKernels.CopyColumns(
                        on.of(x), size[3], on.of(y), size[4], size[5])));
  }

  private static void addOuter(KernelCase c, int n, int p, int q) {
    Slot a = c.activation("a", n, p);
    Slot b = c.activation("b", n, q);
    Slot out = c.vectorInOut("out", p, q);
    c.run(on -> on.backend().run(new RowKernels.AddOuter(on.of(a), on.of(b), -0.3, on.of(out))));
  }

  private static int[] everySecond(int n) {
    return IntStream.range(0, n).filter(i -> i % 2 == 0).toArray();
  }

  private static long[] dims(int k, long n, long d) {
    return k == 0 ? new long[] {n, d} : new long[] {k, n, d};
  }
}
