package dev.lethe.backend.cpu.gemm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cpu.primitive.Primitives;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Sums of products against double, at all remainders of the tile sizes, between canaries. */
final class GemmTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int[] SIZES = {1, 2, 5, 11, 12, 13, 31, 32, 33, 47, 64, 65, 100};
  private static final int CANARIES = 40;
  private static final float CANARY = 1234.5f;

  /** What the rows of C start from. */
  private enum Start {
    ZERO,
    BIAS,
    KEEP
  }

  private record Case(int n, int columns, int depth, int low, Start start, boolean strided) {}

  @Test
  void equalsDoubleForSampledSizes() {
    try (Cpu cpu = new Cpu(Primitives.best(), 2)) {
      forSample(c -> check(c, cpu));
    }
  }

  @Test
  void primitivesAndThreadsGiveTheSameBytes() {
    try (Cpu best = new Cpu(Primitives.best(), 1);
        Cpu java = new Cpu(Primitives.bestInJava(), 1);
        Cpu threaded = new Cpu(Primitives.best(), 3);
        Cpu scalar = new Cpu(Primitives.scalar("scalar", null), 2)) {
      forSample(
          c -> {
            float[] expected = compute(c, best);
            assertArrayEquals(expected, compute(c, java), () -> "without native code, " + c);
            assertArrayEquals(expected, compute(c, threaded), () -> "threads, " + c);
            assertArrayEquals(expected, compute(c, scalar), () -> "scalar, " + c);
          });
    }
  }

  @Test
  void deepProductsAreCutIntoGroups() {
    try (Cpu one = new Cpu(Primitives.best(), 1);
        Cpu two = new Cpu(Primitives.best(), 2)) {
      for (boolean strided : new boolean[] {false, true}) {
        Case deep = new Case(131, 45, 2048, 3, Start.KEEP, strided);
        check(deep, one);
        assertArrayEquals(compute(deep, one), compute(deep, two), deep::toString);
      }
    }
  }

  private static void forSample(java.util.function.Consumer<Case> action) {
    int at = 0;
    for (int n : SIZES) {
      for (int columns : SIZES) {
        int depth = SIZES[at++ * 7 % SIZES.length];
        Start start = Start.values()[at % 3];
        action.accept(new Case(n, columns, depth, at % 4, start, at % 5 == 0));
      }
    }
  }

  private static void check(Case c, Cpu cpu) {
    Inputs in = new Inputs(c);
    float[] got = compute(c, cpu);
    for (int i = 0; i < c.n; i++) {
      for (int j = 0; j < c.columns; j++) {
        double sum = in.start(i, j);
        double size = Math.abs(sum);
        for (int k = 0; k < c.depth + c.low; k++) {
          double product = (double) in.a(i, k) * in.b(k, j);
          sum += product;
          size += Math.abs(product);
        }
        assertEquals(sum, got[i * c.columns + j], 1e-6 * size + 1e-30, c + " at " + i + "," + j);
      }
    }
  }

  /** C of a case, checked to be all that was written. */
  private static float[] compute(Case c, Cpu cpu) {
    try (Arena arena = Arena.ofShared()) {
      Inputs in = new Inputs(c);
      int stride = c.strided ? 1024 * Math.ceilDiv(c.depth, 1024) : c.depth;
      MemorySegment a = arena.allocate(4L * c.n * stride, 4);
      MemorySegment low = arena.allocate(4L * Math.max(1, c.n * c.low), 4);
      MemorySegment bias = arena.allocate(4L * (c.columns + 32), 4);
      MemorySegment out = arena.allocate(4L * (c.n * c.columns + 2 * CANARIES), 4);
      out.asSlice(0).fill((byte) 0);
      for (int i = 0; i < out.byteSize() / 4; i++) {
        out.setAtIndex(FLOAT, i, CANARY);
      }
      for (int i = 0; i < c.n; i++) {
        for (int k = 0; k < c.depth; k++) {
          a.setAtIndex(FLOAT, (long) i * stride + k, in.a(i, k));
        }
        for (int k = 0; k < c.low; k++) {
          low.setAtIndex(FLOAT, (long) i * c.low + k, in.a(i, c.depth + k));
        }
        for (int j = 0; j < c.columns; j++) {
          out.setAtIndex(FLOAT, CANARIES + (long) i * c.columns + j, in.start(i, j));
        }
      }
      for (int j = 0; j < c.columns; j++) {
        bias.setAtIndex(FLOAT, j, in.start(0, j));
      }
      Matrix cm = Matrix.rows(out, 4 * CANARIES, c.columns);
      Matrix start =
          switch (c.start) {
            case ZERO -> cpu.gemm().zero();
            case BIAS -> new Matrix(bias, 0, 0, 4);
            case KEEP -> cm;
          };
      Matrix left = new Matrix(a, 0, 4L * stride, 4);
      Gemm.Term first = new Gemm.Term(left, panels(arena, in, 0, c.depth));
      if (c.low == 0) {
        cpu.gemm().run(c.n, cm, start, first);
      } else {
        Gemm.Term second =
            new Gemm.Term(Matrix.rows(low, c.low), panels(arena, in, c.depth, c.low));
        cpu.gemm().run(c.n, cm, start, first, second);
      }
      float[] result = new float[c.n * c.columns];
      for (int i = 0; i < result.length; i++) {
        result[i] = out.getAtIndex(FLOAT, CANARIES + i);
      }
      for (int i = 0; i < CANARIES; i++) {
        assertEquals(CANARY, out.getAtIndex(FLOAT, i), c + " wrote before C");
        assertEquals(
            CANARY, out.getAtIndex(FLOAT, CANARIES + result.length + i), c + " wrote behind C");
      }
      assertTrue(result.length > 0);
      return result;
    }
  }

  private static Panels panels(Arena arena, Inputs in, int first, int depth) {
    int columns = in.c.columns;
    MemorySegment b = arena.allocate(4L * depth * columns, 4);
    for (int k = 0; k < depth; k++) {
      for (int j = 0; j < columns; j++) {
        b.setAtIndex(FLOAT, (long) k * columns + j, in.b(first + k, j));
      }
    }
    Panels panels =
        new Panels(arena.allocate(4 * Panels.size(depth, columns), 64), depth, columns);
    panels.pack(Primitives.best().tiles(), Matrix.rows(b, columns));
    return panels;
  }

  /** The numbers of a case, the same whenever they are asked for. */
  private static final class Inputs {
    private final Case c;
    private final float[] a;
    private final float[] b;
    private final float[] start;

    Inputs(Case c) {
      this.c = c;
      Random random = new Random(c.hashCode());
      a = numbers(random, c.n * (c.depth + c.low));
      b = numbers(random, c.columns * (c.depth + c.low));
      start = numbers(random, c.n * c.columns);
    }

    float a(int i, int k) {
      return a[i * (c.depth + c.low) + k];
    }

    float b(int k, int j) {
      return b[k * c.columns + j];
    }

    float start(int i, int j) {
      return switch (c.start) {
        case ZERO -> 0;
        case BIAS -> start[j];
        case KEEP -> start[i * c.columns + j];
      };
    }

    private static float[] numbers(Random random, int count) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return values;
    }
  }
}
