package dev.lethe.backend.cpu.primitive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/** Row arithmetic: scalar, vector and native code give the same bytes; elementary functions are accurate. */
final class RowPrimitivesTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int[] LENGTHS = {
    0, 1, 3, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 65, 100, 288
  };
  private static final int BUFFERS = 9;
  private static final int SPACE = 800;
  private static final AdamWNumbers STEP = new AdamWNumbers(.99f, .1f, .999f, .001f, 1e-3f, 31f, 1e-8f);

  /** Everything once, on nine buffers; sums are written to the end of the last. */
  private static void everything(RowPrimitives r, MemorySegment[] m, int n) {
    float[] sums = {
      r.dot(m[0], 4, m[1], 8, n),
      r.dot3(m[0], 0, m[1], 4, m[2], 8, n),
      (float) r.dotDouble(m[0], 4, m[1], 0, n),
      r.max(m[0], 4, n),
      r.expSum(m[2], 4, n, .7f, .3f)
    };
    r.add(m[0], 0, m[1], 0, m[3], 4, n);
    r.axpby(.3f, m[0], 4, -.7f, m[3], 4, n);
    r.scale(1.1f, m[3], 4, m[4], 0, n);
    r.normCombine(
        new NormSum(
            new Run(m[0], 0),
            new Run(m[1], 4),
            new Term(.5f, m[2], 0),
            new Term(.25f, m[3], 0),
            new Term(-.3f, m[4], 0),
            new Term(.2f, m[0], 4)),
        m[5],
        0,
        n);
    r.weighted(1.5f, m[0], 0, m[1], 0, .2f, m[6], 0, n);
    r.attentionSecond(m[0], m[4], m[1], m[6], 0, n, .3f, .1f, .2f, .4f);
    r.rotate(m[7], 0, m[0], m[1], 4, n, -1);
    r.copy(m[7], 0, m[6], 4, n);
    r.adamW(STEP, m[6], m[0], m[4], m[8], 0, n);
    r.fill(m[5], 8, n, 3);
    r.widen(m[1], 2, m[7], 8, n);
    for (int i = 0; i < sums.length; i++) {
      m[5].setAtIndex(FLOAT, SPACE - 1 - i, sums[i]);
    }
  }

  @Test
  void allGiveTheSameBytes() {
    for (int n : LENGTHS) {
      float[][] scalar = run(new ScalarRows(), n, RowPrimitivesTest::length);
      for (Primitives others : List.of(Primitives.bestInJava(), Primitives.best())) {
        float[][] got = run(others.rows(), n, RowPrimitivesTest::length);
        for (int i = 0; i < BUFFERS; i++) {
          assertArrayEquals(
              scalar[i], got[i], others.detail() + ", buffer " + i + ", length " + n);
        }
      }
    }
  }

  private static void length(RowPrimitives rows, Buffers buffers) {
    everything(rows, buffers.memory, buffers.n);
  }

  @Test
  void exponentialIsAccurateAndHasItsLimits() {
    for (float x = -87; x < 88; x += .0137f) {
      assertEquals(Math.exp(x), ScalarMath.exp(x), 2e-7 * Math.exp(x), "exp of " + x);
    }
    assertEquals(0, ScalarMath.exp(-1000));
    assertEquals(0, ScalarMath.exp(Float.NEGATIVE_INFINITY));
    assertEquals(Float.POSITIVE_INFINITY, ScalarMath.exp(1000));
    assertTrue(Float.isNaN(ScalarMath.exp(Float.NaN)));
    assertEquals(1, ScalarMath.sigmoid(200));
    assertEquals(0, ScalarMath.sigmoid(-200));
  }

  @Test
  void otherExponentialsHaveTheSameLimits() {
    exponentialsOf(Primitives.bestInJava().rows());
    exponentialsOf(Primitives.best().rows());
  }

  private static void exponentialsOf(RowPrimitives rows) {
    float[] values = {-1000, -88, -87, -1, 0, 1, 88, 89, 1000, 5, 6, 7, 8, 9, 10, 11, 12};
    values[4] = Float.NEGATIVE_INFINITY;
    try (Arena arena = Arena.ofShared()) {
      MemorySegment x = arena.allocate(4L * values.length, 4);
      MemorySegment.copy(values, 0, x, FLOAT, 0, values.length);
      rows.expSum(x, 0, values.length, 1, 0);
      for (int i = 0; i < values.length; i++) {
        assertEquals(ScalarMath.exp(values[i]), x.getAtIndex(FLOAT, i), "exp of " + values[i]);
      }
    }
  }

  @Test
  void nonFiniteElementsAreFoundWhereverTheyStand() {
    for (RowPrimitives rows : new RowPrimitives[] {new ScalarRows(), Primitives.best().rows()}) {
      try (Arena arena = Arena.ofShared()) {
        MemorySegment x = arena.allocate(4 * 37, 4);
        assertTrue(rows.allFinite(x, 0, 37));
        for (int i = 0; i < 37; i++) {
          for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            x.setAtIndex(FLOAT, i, bad);
            assertFalse(rows.allFinite(x, 0, 37), bad + " at " + i);
          }
          x.setAtIndex(FLOAT, i, 0);
        }
      }
    }
  }

  private static float[][] run(
      RowPrimitives rows, int n, BiConsumer<RowPrimitives, Buffers> action) {
    try (Arena arena = Arena.ofShared()) {
      Buffers buffers = new Buffers(arena, n);
      action.accept(rows, buffers);
      return buffers.contents();
    }
  }

  private static final class Buffers {
    private final MemorySegment[] memory = new MemorySegment[BUFFERS];
    private final int n;

    Buffers(Arena arena, int n) {
      this.n = n;
      Random random = new Random(n);
      for (int i = 0; i < BUFFERS; i++) {
        memory[i] = arena.allocate(4 * SPACE, 4);
        for (int j = 0; j < SPACE; j++) {
          float value = (float) random.nextGaussian();
          memory[i].setAtIndex(FLOAT, j, i == 8 ? Math.abs(value) : value);
        }
      }
    }

    float[][] contents() {
      float[][] contents = new float[BUFFERS][];
      for (int i = 0; i < BUFFERS; i++) {
        contents[i] = memory[i].toArray(FLOAT);
      }
      return contents;
    }
  }
}
