package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.KernelCase.Slot;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.RopeTable;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.stream.Stream;

/** {@link RopeKernels}: both rotations, of one primal or several directions, in place or not. */
final class RopeContract {
  private static final int POSITIONS = 70;
  private static final int[] HEAD_SIZES = {2, 6, 8, 16, 48, 64, 128};
  private static final int[] HEADS = {1, 2, 3, 8};
  private static final int[] ROWS = {1, 2, 5, 13, 33};

  private RopeContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int i = 0; i < HEAD_SIZES.length; i++) {
      int headSize = HEAD_SIZES[i];
      int heads = HEADS[i % HEADS.length];
      int n = ROWS[i % ROWS.length];
      for (int k = 0; k <= 3; k++) {
        long width = (long) heads * headSize;
        long[] dims = k == 0 ? new long[] {n, width} : new long[] {k, n, width};
        for (boolean back : new boolean[] {false, true}) {
          for (boolean inPlace : new boolean[] {false, true}) {
            String name =
                Text.format(
                    "rope.%s %d heads of %d, x %s%s",
                    back ? "rotateBack" : "rotate",
                    heads,
                    headSize,
                    Shape.of(dims),
                    inPlace ? " in place" : "");
            cases.add(bench.of(name, c -> rotate(c, headSize, n, dims, back, inPlace)));
          }
        }
      }
    }
    return cases.build();
  }

  private static void rotate(
      KernelCase c, int headSize, int n, long[] dims, boolean back, boolean inPlace) {
    Slot cos = c.vectorOf("cos", angles(headSize, true));
    Slot sin = c.vectorOf("sin", angles(headSize, false));
    Slot positions = c.randomIndices("positions", n, POSITIONS);
    Slot y = inPlace ? c.inOut("y", dims) : c.output("y", dims);
    Slot x = inPlace ? y : c.activation("x", dims);
    c.run(
        on -> {
          RopeTable table = new RopeTable(on.of(cos), on.of(sin));
          if (back) {
            on.backend()
                .run(new RopeKernels.Rotate(table, on.of(positions), on.of(x), on.of(y), true));
          } else {
            on.backend()
                .run(new RopeKernels.Rotate(table, on.of(positions), on.of(x), on.of(y), false));
          }
        });
  }

  private static Tensor angles(int headSize, boolean cosine) {
    int half = headSize / 2;
    double[] values = new double[POSITIONS * half];
    for (int i = 0; i < values.length; i++) {
      double angle = (i / half) * Math.pow(10_000, -(double) (i % half) / half);
      values[i] = cosine ? Math.cos(angle) : Math.sin(angle);
    }
    return Tensor.of(Shape.of(POSITIONS, half), values);
  }
}
