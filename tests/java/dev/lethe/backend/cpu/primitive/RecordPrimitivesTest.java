package dev.lethe.backend.cpu.primitive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Arithmetic on recorded numbers: scalar and vector code give the same bytes. */
final class RecordPrimitivesTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final int[] LENGTHS = {0, 1, 7, 8, 15, 16, 17, 31, 33, 63, 65, 100, 256};
  private static final int SPACE = 300;
  private static final int ROWS = RecordPrimitives.ROWS;
  private static final float[] WEIGHTS = {9, .3f, -1.1f, .7f, 2};

  @Test
  void allGiveTheSameBytes() {
    for (int n : LENGTHS) {
      float[][] scalar = results(Primitives.scalar("scalar", null), n);
      float[][] vector = results(Primitives.bestInJava(), n);
      float[][] best = results(Primitives.best(), n);
      for (int i = 0; i < scalar.length; i++) {
        assertArrayEquals(scalar[i], vector[i], "result " + i + ", length " + n);
        assertArrayEquals(scalar[i], best[i], "the best, result " + i + ", length " + n);
      }
    }
  }

  @Test
  void dotsHaveTheBytesOfThoseOfRows() {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment x = recorded(arena);
      MemorySegment v = floats(arena, 2);
      MemorySegment wide = arena.allocate(4 * SPACE, 4);
      for (int n : LENGTHS) {
        float[] lanes = new float[ROWS * RowPrimitives.LANES];
        Primitives.best().records().dots(x, 2, 2 * SPACE, v, 4, n, lanes);
        for (int r = 0; r < ROWS; r++) {
          Primitives.best().rows().widen(x, 2 + 2L * SPACE * r, wide, 0, n);
          float dot = Primitives.best().rows().dot(wide, 0, v, 4, n);
          assertEquals(dot, lanes[RowPrimitives.LANES * r], "row " + r + ", length " + n);
        }
      }
    }
  }

  private static float[][] results(Primitives primitives, int n) {
    RecordPrimitives records = primitives.records();
    try (Arena arena = Arena.ofShared()) {
      MemorySegment x = recorded(arena);
      MemorySegment v = floats(arena, 2);
      MemorySegment d = floats(arena, 3);
      for (int i = 0; i < SPACE; i += 3) {
        d.setAtIndex(FLOAT, i, i % 2 == 0 ? 0f : -0f);
      }
      MemorySegment[] out = {floats(arena, 4), floats(arena, 5), floats(arena, 6)};
      float[] lanes = new float[ROWS * RowPrimitives.LANES];
      primitives.rows().widen(x, 2, out[0], 4, n);
      records.changed(.7f, v, 4, d, 8, out[1], 0, n);
      records.addRows(WEIGHTS, 1, x, 2, 2 * SPACE, out[2], 4, n);
      records.dots(x, 2, 2 * SPACE, v, 4, n, lanes);
      float[] dots = new float[ROWS];
      for (int r = 0; r < ROWS; r++) {
        dots[r] = lanes[RowPrimitives.LANES * r];
      }
      return new float[][] {
        out[0].toArray(FLOAT), out[1].toArray(FLOAT), out[2].toArray(FLOAT), dots
      };
    }
  }

  /** Rows of BF16. */
  private static MemorySegment recorded(Arena arena) {
    Random random = new Random(1);
    MemorySegment x = arena.allocate(2L * SPACE * ROWS, 4);
    for (int i = 0; i < SPACE * ROWS; i++) {
      x.setAtIndex(SHORT, i, DType.floatToBf16((float) random.nextGaussian()));
    }
    return x;
  }

  private static MemorySegment floats(Arena arena, long seed) {
    Random random = new Random(seed);
    MemorySegment x = arena.allocate(4L * SPACE, 4);
    for (int i = 0; i < SPACE; i++) {
      x.setAtIndex(FLOAT, i, (float) random.nextGaussian());
    }
    return x;
  }
}
