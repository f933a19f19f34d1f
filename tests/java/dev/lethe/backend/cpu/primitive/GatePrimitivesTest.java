package dev.lethe.backend.cpu.primitive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Gated units: plain Java, vectors and native code give the same bytes, and functions keep their limits. */
final class GatePrimitivesTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int[] LENGTHS = {0, 1, 7, 8, 15, 16, 17, 31, 33, 65, 100, 300};
  private static final int SPACE = 3 * GatePrimitives.RUN;
  private static final int BUFFERS = 9;

  @ParameterizedTest
  @EnumSource
  void allGiveTheSameBytes(Nonlinearity f) {
    for (int n : LENGTHS) {
      float[][] scalar = results(new ScalarGates(), f, n);
      for (Primitives others : List.of(Primitives.bestInJava(), Primitives.best())) {
        float[][] got = results(others.gates(), f, n);
        for (int i = 0; i < BUFFERS; i++) {
          assertArrayEquals(scalar[i], got[i], others.detail() + ", buffer " + i + ", length " + n);
        }
      }
    }
  }

  private static float[][] results(GatePrimitives gates, Nonlinearity f, int n) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment[] m = new MemorySegment[BUFFERS];
      Random random = new Random(n);
      for (int i = 0; i < BUFFERS; i++) {
        m[i] = arena.allocate(4 * SPACE, 4);
        for (int j = 0; j < SPACE; j++) {
          m[i].setAtIndex(FLOAT, j, (float) (random.nextGaussian() * (i == 0 ? 5 : 1)));
        }
      }
      gates.derivatives(f, 2, m[0], 4, m[1], 0, n);
      gates.gate(m[1], 0, m[2], 0, m[3], 4, n);
      gates.gateTangent(m[1], 0, m[2], 0, m[3], 4, m[4], 0, m[5], 0, n);
      gates.gateBackward(m[1], 0, m[2], 4, m[5], 0, m[6], 0, m[7], 0, n);
      gates.gateBackwardTangent(
          m[1], 0, m[2], 0, m[3], 0, m[4], 0, m[5], 4, m[6], 0, m[7], 0, m[8], 0, n);
      float[][] contents = new float[BUFFERS][];
      for (int i = 0; i < BUFFERS; i++) {
        contents[i] = m[i].toArray(FLOAT);
      }
      return contents;
    }
  }

  @ParameterizedTest
  @EnumSource
  void farAwayItIsTheIdentityOrNothing(Nonlinearity f) {
    for (float far : new float[] {100, 1e4f, 1e12f, 1e30f}) {
      assertArrayEquals(new float[] {far, 1, 0}, at(f, far), Float.MIN_VALUE, "at " + far);
      assertArrayEquals(new float[] {0, 0, 0}, at(f, -far), Float.MIN_VALUE, "at " + -far);
    }
    for (float nan : at(f, Float.NaN)) {
      assertTrue(Float.isNaN(nan));
    }
  }

  /** f, f′ and f″ by the fastest code; a run of them, so that there are whole vectors. */
  private static float[] at(Nonlinearity f, float a) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment x = arena.allocate(4 * GatePrimitives.RUN, 4);
      MemorySegment out = arena.allocate(4 * SPACE, 4);
      for (int i = 0; i < GatePrimitives.RUN; i++) {
        x.setAtIndex(FLOAT, i, a);
      }
      Primitives.best().gates().derivatives(f, 2, x, 0, out, 0, GatePrimitives.RUN);
      float[] all = out.toArray(FLOAT);
      return new float[] {all[0], all[GatePrimitives.RUN], all[2 * GatePrimitives.RUN]};
    }
  }

  /** An error in f″ near zero, where all three vary most, would hide among larger numbers. */
  @Test
  void derivativesAgreeWithDifferences() {
    for (Nonlinearity f : Nonlinearity.values()) {
      for (float a = -6; a < 6; a += 0.37f) {
        float step = 1 / 64f;
        float[] below = at(f, a - step);
        float[] here = at(f, a);
        float[] above = at(f, a + step);
        assertEquals((above[0] - below[0]) / (2 * step), here[1], 2e-4, f + "′ at " + a);
        assertEquals((above[1] - below[1]) / (2 * step), here[2], 4e-4, f + "″ at " + a);
      }
    }
  }
}
