package dev.lethe.backend.cpu.gemm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider.Availability;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.cpu.CpuBackendProvider;
import dev.lethe.backend.cpu.gemm.Bf16Products.Instructions;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Products of bfloat16 factors by all instructions of this machine: exact but for float32 sums, inside
 * their bounds, the same on all threads.
 */
final class Bf16ProductsTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int[] ROWS = {1, 2, 5, 12, 13, 16, 17, 25, 31, 32, 33, 48, 131, 420};
  private static final int[] COLUMNS = {1, 15, 16, 17, 31, 32, 33, 50, 96};
  private static final int[] DEPTHS = {1, 2, 3, 31, 33, 64, 96, 257, 1537, 2048};
  private static final int CANARIES = 64;
  private static final float CANARY = 12_345;
  private static final int LOW = 3;

  @ParameterizedTest
  @EnumSource
  void equalsDoubleOnRoundedFactors(Instructions instructions) {
    Bf16Products products = present(instructions);
    try (Cpu cpu = new Cpu(Primitives.best(), products, 2)) {
      int at = 0;
      for (int rows : ROWS) {
        for (int columns : COLUMNS) {
          check(new Case(rows, columns, DEPTHS[at++ % DEPTHS.length], at % 3, at), cpu);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void threadsGiveTheSameBytes(Instructions instructions) {
    Bf16Products products = present(instructions);
    try (Cpu one = new Cpu(Primitives.best(), products, 1);
        Cpu three = new Cpu(Primitives.best(), products, 3)) {
      for (int depth : DEPTHS) {
        Case c = new Case(131, 77, depth, 2, depth);
        assertArrayEquals(c.compute(one), c.compute(three), c::toString);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void writesUsedColumnsOnlyAndReadsNothingBehindRowsAndDepths(Instructions instructions) {
    Bf16Products products = present(instructions);
    for (int rows : new int[] {1, 16, 19, 32, 45}) {
      for (int columns : new int[] {3, 16, 21, 32}) {
        for (int depth : new int[] {1, 32, 45}) {
          checkAmidNan(products, rows, columns, depth);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void rowsAreRoundedToTheNearestAndTiesToEven(Instructions instructions) {
    Bf16Products products = present(instructions);
    try (Arena arena = Arena.ofConfined()) {
      float[] numbers = {
        1, -1.00390625f, 1.01171875f, 3.4e38f, 1e-30f, 0, Float.POSITIVE_INFINITY, -7.3e-12f, 0.1f,
        -0f, Float.NEGATIVE_INFINITY, Float.MIN_NORMAL, -0.3f, 65535, 7, 3e-5f, Float.NaN
      };
      MemorySegment from = arena.allocateFrom(FLOAT, numbers);
      MemorySegment to = arena.allocate(Bf16Products.stride(numbers.length), 64);
      to.fill((byte) -1);
      products.round(1, numbers.length, Matrix.rows(from, numbers.length), to);
      for (int i = 0; i < numbers.length; i++) {
        short got = to.getAtIndex(ValueLayout.JAVA_SHORT, i);
        assertEquals(DType.floatToBf16(numbers[i]), got, numbers[i] + " rounded");
      }
      assertEquals(0, to.getAtIndex(ValueLayout.JAVA_SHORT, numbers.length), "pair of an odd depth");
    }
  }

  @ParameterizedTest
  @EnumSource
  void takesSubnormalNumbersForZero(Instructions instructions) {
    Bf16Products products = present(instructions);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment left = arena.allocateFrom(FLOAT, 0x1p-130f, 2);
      MemorySegment right = arena.allocateFrom(FLOAT, 0x1p20f, 3);
      MemorySegment rounded = arena.allocate(Bf16Products.stride(2), 64);
      Panels panels = new Panels(arena.allocate(2 * 2 * 16, 64), 2, 1, DType.BF16);
      panels.pack(Primitives.best().tiles(), Matrix.rows(right, 1));
      products.round(1, 2, Matrix.rows(left, 2), rounded);
      MemorySegment out = arena.allocate(4, 4);
      products.multiply(1, 2, rounded, panels, 0, 0, Matrix.rows(out, 1), Matrix.rows(out, 1));
      assertEquals(6, out.get(FLOAT, 0));
    }
  }

  @ParameterizedTest
  @EnumSource
  void refusesAccessOutsideOfItsMatrices(Instructions instructions) {
    Bf16Products products = present(instructions);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment small = arena.allocate(64);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> products.round(2, 64, Matrix.rows(small, 64), arena.allocate(4096)));
    }
  }

  @Test
  void saysWhyItCannotRunHere() {
    Bf16Products.Found found = Bf16Products.found();
    Availability said =
        new CpuBackendProvider().availability(new BackendOptions(1, DType.BF16, -1));
    assertEquals(found.products() != null, said.usable());
    if (found.products() == null) {
      assertTrue(said.detail().contains(found.reason()), said.detail());
      assertThrows(EnvironmentException.class, Bf16Products::require);
    }
    assertTrue(new CpuBackendProvider().availability(BackendOptions.DEFAULT).usable());
  }

  private static Bf16Products present(Instructions instructions) {
    Bf16Products products = Bf16Products.found().of(instructions);
    assumeTrue(products != null, "products by " + instructions + " were NOT tested: not here");
    return products;
  }

  /** One panel, repeated row of Z, with NaN behind the rows of A, the panel of B and columns of C. */
  private static void checkAmidNan(Bf16Products products, int rows, int columns, int depth) {
    int width = TilePrimitives.widthOf(columns);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = numbers(arena, rows * depth, 1, 0);
      MemorySegment b = numbers(arena, depth * columns, 2, 0);
      MemorySegment z = numbers(arena, columns, 3, 32);
      MemorySegment c = numbers(arena, 0, 4, (rows + 32) * 40);
      long stride = Bf16Products.stride(depth);
      MemorySegment rounded = arena.allocate(stride * (rows + 32), 64).fill((byte) -1);
      products.round(rows, depth, Matrix.rows(a, depth), rounded);
      long bytes = 2 * Panels.size(depth, columns, DType.BF16);
      MemorySegment memory = arena.allocate(bytes + 4096, 64).fill((byte) -1);
      Panels panels = new Panels(memory, depth, columns, DType.BF16);
      panels.pack(Primitives.best().tiles(), Matrix.rows(b, columns));
      products.multiply(
          rows, depth, rounded, panels, 0, 0, new Matrix(z, 0, 0, 4), Matrix.rows(c, 40));
      String what = "%d rows, %d of %d columns, depth %d".formatted(rows, columns, width, depth);
      for (int i = 0; i < rows + 32; i++) {
        for (int j = 0; j < 40; j++) {
          double expected = i < rows && j < columns ? z.getAtIndex(FLOAT, j) : Double.NaN;
          for (int k = 0; k < depth && i < rows && j < columns; k++) {
            expected +=
                (double) Case.rounded(a.getAtIndex(FLOAT, i * depth + k))
                    * Case.rounded(b.getAtIndex(FLOAT, k * columns + j));
          }
          assertEquals(expected, c.getAtIndex(FLOAT, i * 40 + j), 1e-4, what);
        }
      }
    }
  }

  /** Random numbers, and NaN behind them. */
  private static MemorySegment numbers(Arena arena, int count, long seed, int behind) {
    Random random = new Random(seed);
    MemorySegment memory = arena.allocate(4L * (count + behind), 64);
    for (int i = 0; i < count + behind; i++) {
      memory.setAtIndex(FLOAT, i, i < count ? (float) random.nextGaussian() : Float.NaN);
    }
    return memory;
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
      panels.pack(Primitives.best().tiles(), Matrix.rows(b, columns));
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
