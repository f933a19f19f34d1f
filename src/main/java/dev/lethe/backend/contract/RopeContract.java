package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.stream.Stream;

/** {@link RopeKernels}: both rotations, of one primal or several directions, of whole heads and of a part. */
final class RopeContract {
  private static final int POSITIONS = 70;

  /** How many numbers of a head turn, and how many it has. */
  private static final int[][] PARTS = {
    {2, 2}, {6, 6}, {8, 12}, {16, 16}, {2, 9}, {48, 48}, {64, 64}, {96, 128}, {128, 128}, {32, 40}
  };

  private static final int[] HEADS = {1, 2, 3, 8};
  private static final int[] ROWS = {1, 2, 5, 13, 33};

  private RopeContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int i = 0; i < PARTS.length; i++) {
      int pairs = PARTS[i][0] / 2;
      int headSize = PARTS[i][1];
      int heads = HEADS[i % HEADS.length];
      int n = ROWS[i % ROWS.length];
      for (int k = 0; k <= 3; k++) {
        long width = (long) heads * headSize;
        long[] dims = k == 0 ? new long[] {n, width} : new long[] {k, n, width};
        for (boolean back : new boolean[] {false, true}) {
          String name =
              Text.format(
                  "rope.%s %d heads, %d of %d, x %s",
                  back ? "rotateBack" : "rotate", heads, 2 * pairs, headSize, Shape.of(dims));
          cases.add(bench.of(name, c -> rotate(c, pairs, headSize, n, dims, back)));
        }
      }
    }
    return cases.build();
  }

  private static void rotate(
      KernelCase c, int pairs, int headSize, int n, long[] dims, boolean back) {
    Slot cos = c.vectorOf("cos", angles(pairs, true));
    Slot sin = c.vectorOf("sin", angles(pairs, false));
    Slot positions = c.randomIndices("positions", n, POSITIONS);
    Slot x = c.inOut("x", dims);
    c.run(
        on -> {
          RopeTable table = new RopeTable(on.of(cos), on.of(sin), headSize);
          on.backend().run(new RopeKernels.Rotate(table, on.of(positions), on.of(x), back));
        });
  }

  private static Tensor angles(int pairs, boolean cosine) {
    double[] values = new double[POSITIONS * pairs];
    for (int i = 0; i < values.length; i++) {
      double angle = (i / pairs) * Math.pow(10_000, -(double) (i % pairs) / pairs);
      values[i] = cosine ? Math.cos(angle) : Math.sin(angle);
    }
    return Tensor.of(Shape.of(POSITIONS, pairs), values);
  }
}
