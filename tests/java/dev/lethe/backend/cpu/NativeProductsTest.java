package dev.lethe.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider.Availability;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Products of bfloat16 factors: exact but for float32 sums, inside their bounds, the same on all threads. */
final class NativeProductsTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int[] ROWS = {1, 2, 5, 11, 12, 13, 25, 131};
  private static final int[] COLUMNS = {1, 15, 16, 17, 31, 32, 33, 50, 96};
  private static final int[] DEPTHS = {1, 2, 3, 31, 64, 257, 1537, 2048};
  private static final int CANARIES = 64;
  private static final float CANARY = 12_345;
  private static final int LOW = 3;

  @Test
  void equalsDoubleOnRoundedFactors() {
    NativeProducts products = present();
    try (Cpu cpu = new Cpu(Primitives.best(), products, 2)) {
      int at = 0;
      for (int rows : ROWS) {
        for (int columns : COLUMNS) {
          check(new Case(rows, columns, DEPTHS[at++ % DEPTHS.length], at % 3, at), cpu);
        }
      }
    }
  }

  @Test
  void threadsGiveTheSameBytes() {
    NativeProducts products = present();
    try (Cpu one = new Cpu(Primitives.best(), products, 1);
        Cpu three = new Cpu(Primitives.best(), products, 3)) {
      for (int depth : DEPTHS) {
        Case c = new Case(131, 77, depth, 2, depth);
        assertArrayEquals(c.compute(one), c.compute(three), c::toString);
      }
    }
  }

  @Test
  void rowsAreRoundedToTheNearestAndTiesToEven() {
    NativeProducts products = present();
    try (Arena arena = Arena.ofConfined()) {
      float[] numbers = {
        1, -1.00390625f, 1.01171875f, 3.4e38f, 1e-30f, 0, Float.POSITIVE_INFINITY, -7.3e-12f, 0.1f
      };
      MemorySegment from = arena.allocateFrom(FLOAT, numbers);
      MemorySegment to = arena.allocate(NativeProducts.stride(numbers.length), 64);
      to.fill((byte) -1);
      products.round(1, numbers.length, Matrix.rows(from, numbers.length), to);
      for (int i = 0; i < numbers.length; i++) {
        short got = to.getAtIndex(ValueLayout.JAVA_SHORT, i);
        assertEquals(DType.floatToBf16(numbers[i]), got, numbers[i] + " rounded");
      }
      assertEquals(0, to.getAtIndex(ValueLayout.JAVA_SHORT, numbers.length), "pair of an odd depth");
    }
  }

  @Test
  void refusesAccessOutsideOfItsMatrices() {
    NativeProducts products = present();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment small = arena.allocate(64);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> products.round(2, 64, Matrix.rows(small, 64), arena.allocate(4096)));
    }
  }

  @Test
  void saysWhyItCannotRunHere() {
    NativeProducts.Found found = NativeProducts.found();
    Availability said =
        new CpuBackendProvider().availability(new BackendOptions(1, DType.BF16, -1));
    assertEquals(found.products() != null, said.usable());
    if (found.products() == null) {
      assertTrue(said.detail().contains(found.reason()), said.detail());
      assertThrows(EnvironmentException.class, NativeProducts::require);
    }
    assertTrue(new CpuBackendProvider().availability(BackendOptions.DEFAULT).usable());
  }

  private static NativeProducts present() {
    NativeProducts.Found found = NativeProducts.found();
    assumeTrue(
        found.products() != null, "products in bfloat16 were NOT tested: " + found.reason());
    return found.products();
  }

  private static void check(Case c, Cpu cpu) {
    float[] got = c.compute(cpu);
    for (int i = 0; i < c.rows; i++) {
      for (int j = 0; j < c.columns; j++) {
        double sum = c.start(i, j);
        double size = Math.abs(sum);
        for (int k = 0; k < c.depth + c.low; k++) {
          double product = (double) c.left(i, k) * c.right(k, j);
          sum += product;
          size += Math.abs(product);
        }
        assertEquals(sum, got[i * c.columns + j], 1e-6 * size + 1e-30, c + " at " + i + "," + j);
      }
    }
  }

  /**
   * C = start + A·B + U·V, where A·B has bfloat16 factors and U·V, of a small depth or none, float32.
   *
   * @param kind 0: start of zero, no U·V; 1: start of one row; 2: start is C itself
   */
  private record Case(int rows, int columns, int depth, int kind, long seed, int low, float[] numbers) {
    Case(int rows, int columns, int depth, int kind, long seed) {
      this(rows, columns, depth, kind, seed, kind == 0 ? 0 : LOW, null);
    }

    Case {
      Random random = new Random(seed);
      numbers = new float[rows * (depth + low) + (depth + low) * columns + rows * columns];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = (float) random.nextGaussian();
      }
    }

    private float left(int i, int k) {
      float value = numbers[i * (depth + low) + k];
      return k < depth ? rounded(value) : value;
    }

    private float right(int k, int j) {
      float value = numbers[(rows + j) * (depth + low) + k];
      return k < depth ? rounded(value) : value;
    }

    private float start(int i, int j) {
      int at = (rows + columns) * (depth + low) + j;
      return kind == 0 ? 0 : numbers[kind == 1 ? at : at + i * columns];
    }

    float[] compute(Cpu cpu) {
      try (Arena arena = Arena.ofShared()) {
        MemorySegment a = arena.allocate(4L * rows * (depth + low), 4);
        MemorySegment bias = arena.allocate(4L * (columns + 32), 4);
        MemorySegment out = arena.allocate(4L * (rows * columns + 2 * CANARIES), 4);
        for (long i = 0; i < out.byteSize() / 4; i++) {
          out.setAtIndex(FLOAT, i, CANARY);
        }
        for (int i = 0; i < rows * (depth + low); i++) {
          a.setAtIndex(FLOAT, i, numbers[i]);
        }
        for (int j = 0; j < columns; j++) {
          bias.setAtIndex(FLOAT, j, start(0, j));
          for (int i = 0; i < rows && kind == 2; i++) {
            out.setAtIndex(FLOAT, CANARIES + i * columns + j, start(i, j));
          }
        }
        Matrix c = Matrix.rows(out, 4L * CANARIES, columns);
        Matrix from =
            kind == 0 ? cpu.gemm().zero() : kind == 1 ? new Matrix(bias, 0, 0, 4) : c;
        Gemm.Term frozen =
            new Gemm.Term(
                Matrix.rows(a, depth + low), panels(arena, 0, depth, DType.BF16));
        if (low == 0) {
          cpu.gemm().run(rows, c, from, frozen);
        } else {
          Matrix u = Matrix.rows(a, 4L * depth, depth + low);
          cpu.gemm()
              .run(rows, c, from, frozen, new Gemm.Term(u, panels(arena, depth, low, DType.F32)));
        }
        return result(out);
      }
    }

    private float[] result(MemorySegment out) {
      float[] result = new float[rows * columns];
      for (int i = 0; i < result.length; i++) {
        result[i] = out.getAtIndex(FLOAT, CANARIES + i);
      }
      for (int i = 0; i < CANARIES; i++) {
        assertEquals(CANARY, out.getAtIndex(FLOAT, i), "wrote before C");
        assertEquals(CANARY, out.getAtIndex(FLOAT, CANARIES + result.length + i), "wrote behind C");
      }
      return result;
    }

    private Panels panels(Arena arena, int first, int count, DType type) {
      MemorySegment b = arena.allocate(4L * count * columns, 4);
      for (int k = 0; k < count; k++) {
        for (int j = 0; j < columns; j++) {
          b.setAtIndex(FLOAT, (long) k * columns + j, right(first + k, j));
        }
      }
      MemorySegment memory =
          arena.allocate(type.bytes() * Panels.size(count, columns, type), 64);
      memory.fill((byte) -1);
      Panels panels = new Panels(memory, count, columns, type);
      panels.pack(Matrix.rows(b, columns));
      return panels;
    }

    private static float rounded(float value) {
      return DType.bf16ToFloat(DType.floatToBf16(value));
    }

    @Override
    public String toString() {
      return "rows %d, columns %d, depth %d+%d, start %d, seed %d"
          .formatted(rows, columns, depth, low, kind, seed);
    }
  }
}
