package dev.lethe.backend.cpu.primitive;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Collections;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The native functions of each instruction set give the bytes of plain Java, and write nothing else. */
final class NativeCodeTest {
  private static final int FLOATS = 1 << 14;
  private static final int[] LENGTHS = {0, 1, 7, 8, 9, 15, 16, 17, 24, 31, 33, 63, 64, 100};
  private static final TilePrimitives TILES = new ScalarTiles();
  private static final RowPrimitives ROWS = new ScalarRows();
  private static final AdamWNumbers STEP = new AdamWNumbers(.99f, .1f, .95f, .05f, .01f, 1.3f, 1e-8f);
  private static final MemoryLayout L = JAVA_LONG;
  private static final MemoryLayout F = JAVA_FLOAT;

  /** A buffer of random numbers, all of which are compared in the end. */
  private static final class Buffer implements AutoCloseable {
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment memory = arena.allocate(4L * FLOATS, 64);

    Buffer(long seed) {
      Random random = new Random(seed);
      for (int i = 0; i < FLOATS; i++) {
        memory.setAtIndex(JAVA_FLOAT, i, (float) random.nextGaussian());
      }
    }

    long at(int index) {
      return memory.address() + 4L * index;
    }

    float[] all() {
      return memory.toArray(JAVA_FLOAT);
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 512})
  void multiplies(int bits) throws Throwable {
    MethodHandle multiply = function(bits, "multiply", null, longs(12));
    for (int rows : new int[] {1, 2, 5, 6, 7, 11, 12, 13, 25}) {
      for (int width : new int[] {TilePrimitives.NARROW, TilePrimitives.WIDE}) {
        int depth = rows * 7 % 19;
        try (Buffer expected = new Buffer(rows);
            Buffer got = new Buffer(rows)) {
          MemorySegment m = expected.memory;
          TILES.multiplyAdd(
              rows, width, depth, m, 0, 4, 128, m, 4000, 132, m, 16_000, 0, m, 32_004, 136);
          multiply.invokeExact(
              (long) rows, (long) width, (long) depth, got.at(0), 4L, 128L, got.at(1000), 132L,
              got.at(4000), 0L, got.at(8001), 136L);
          String what = "%d x %d x %d".formatted(rows, width, depth);
          assertArrayEquals(expected.all(), got.all(), what);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 512})
  void transposes(int bits) throws Throwable {
    MethodHandle transpose = function(bits, "transpose", null, longs(7));
    try (Buffer expected = new Buffer(1);
        Buffer got = new Buffer(1)) {
      MemorySegment m = expected.memory;
      TILES.transpose(19, 13, m, 4, 60, m, 8000, 128, 32);
      transpose.invokeExact(19L, 13L, got.at(1), 60L, got.at(2000), 128L, 32L);
      assertArrayEquals(expected.all(), got.all());
    }
  }

  /** At all places of numbers that are not finite, and where the target is not aligned for whole registers. */
  @Test
  void transposesBfloat16() {
    assumeTrue(NativeCode.BITS > 0, "no native functions here");
    TilePrimitives tiles = new NativeTiles();
    for (int rows : new int[] {1, 3, 4, 19, 32}) {
      for (int columns : new int[] {1, 7, 8, 63, 64, 65, 150}) {
        int padded = TilePrimitives.widthOf(rows);
        long row = 2L * columns + 6;
        for (short endless : new short[] {0, 0x7F80, (short) 0xFF81}) {
          try (Buffer expected = new Buffer(rows);
              Buffer got = new Buffer(rows)) {
            for (Buffer buffer : new Buffer[] {expected, got}) {
              for (long at = 5; at < 5 + rows * row; at += 2) {
                short finite = (short) (buffer.memory.get(TilePrimitives.HALF, at) & 0xBFFF);
                buffer.memory.set(TilePrimitives.HALF, at, finite);
              }
              buffer.memory.set(TilePrimitives.HALF, 5 + (rows - 1) * row + 2L * (columns / 2), endless);
            }
            long to = 20_000 + 4L * (columns % 5);
            boolean soon = columns % 2 == 0;
            MemorySegment mine = expected.memory;
            boolean finite = TILES.transposeBf16(rows, columns, mine, 5, row, mine, to, padded, soon);
            String what = "%d x %d, %x".formatted(rows, columns, endless);
            assertEquals(endless == 0, finite, what);
            MemorySegment other = got.memory;
            assertEquals(finite, tiles.transposeBf16(rows, columns, other, 5, row, other, to, padded, soon), what);
            assertArrayEquals(expected.all(), got.all(), what);
          }
        }
      }
    }
  }

  @Test
  void widensBfloat16() {
    assumeTrue(NativeCode.BITS > 0, "no native functions here");
    for (int rows : new int[] {1, 19}) {
      for (int columns : new int[] {1, 7, 8, 13, 16, 31, 32}) {
        int padded = TilePrimitives.widthOf(columns);
        try (Buffer expected = new Buffer(rows);
            Buffer got = new Buffer(rows)) {
          TILES.widenBf16(rows, columns, expected.memory, 5, 70, expected.memory, 8000, padded);
          new NativeTiles().widenBf16(rows, columns, got.memory, 5, 70, got.memory, 8000, padded);
          assertArrayEquals(expected.all(), got.all(), rows + " x " + columns);
        }
      }
    }
  }

  /** At all places of a number that is not finite, and right before and behind those looked at. */
  @Test
  void seesWhatIsNotFiniteInBfloat16() {
    assumeTrue(NativeCode.BITS > 0, "no native functions here");
    RowPrimitives rows = new NativeRows();
    try (Buffer buffer = new Buffer(1)) {
      MemorySegment numbers = buffer.memory.asSlice(0, 200).fill((byte) 0x11);
      for (int n : new int[] {0, 1, 7, 8, 9, 40}) {
        for (int at = -1; at <= n; at++) {
          numbers.set(TilePrimitives.HALF, 11 + 2L * at, (short) (at % 2 == 0 ? 0xFF80 : 0x7FC1));
          boolean finite = at < 0 || at == n;
          assertEquals(finite, ROWS.allFiniteBf16(numbers, 11, n), n + " numbers, " + at);
          assertEquals(finite, rows.allFiniteBf16(numbers, 11, n), n + " numbers, " + at);
          numbers.set(TilePrimitives.HALF, 11 + 2L * at, (short) 0x1111);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 512})
  void goesAlongRows(int bits) throws Throwable {
    MethodHandle max = function(bits, "max", JAVA_FLOAT, longs(2));
    MethodHandle dot = function(bits, "dot", JAVA_FLOAT, longs(3));
    MethodHandle expSum =
        function(bits, "exp_sum", JAVA_FLOAT, JAVA_LONG, JAVA_LONG, JAVA_FLOAT, JAVA_FLOAT);
    MethodHandle weighted =
        function(
            bits, "weighted", null, JAVA_LONG, JAVA_FLOAT, JAVA_LONG, JAVA_LONG, JAVA_FLOAT,
            JAVA_LONG);
    MethodHandle widen = function(bits, "widen", null, longs(3));
    MethodHandle second =
        function(
            bits, "attention_second", null, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_FLOAT, JAVA_FLOAT, JAVA_FLOAT, JAVA_FLOAT);
    for (int n : LENGTHS) {
      try (Buffer expected = new Buffer(n);
          Buffer got = new Buffer(n)) {
        MemorySegment m = expected.memory;
        long count = n;
        float ofMax = (float) max.invokeExact(count, got.at(1));
        assertEquals(ROWS.max(m, 4, n), ofMax, "max of " + n);
        float ofDot = (float) dot.invokeExact(count, got.at(1), got.at(203));
        assertEquals(ROWS.dot(m, 4, m, 812, n), ofDot, "dot of " + n);
        float ofExp = (float) expSum.invokeExact(count, got.at(1), 40f, .3f);
        assertEquals(ROWS.expSum(m, 4, n, 40f, .3f), ofExp, "expSum of " + n);
        ROWS.widen(m, 6, m, 9000, n);
        widen.invokeExact(count, got.at(1) + 2, got.at(2250));
        ROWS.weighted(1.5f, m, 4, m, 1204, .2f, m, 1604, n);
        weighted.invokeExact(count, 1.5f, got.at(1), got.at(301), .2f, got.at(401));
        MemorySegment other = m.asSlice(4000);
        ROWS.attentionSecond(
            m.asSlice(2000), other, m.asSlice(6000), m.asSlice(8000), 4, n, .3f, .1f, .2f, .4f);
        second.invokeExact(
            count, got.at(501), got.at(1001), got.at(1501), got.at(2001), .3f, .1f, .2f, .4f);
        assertArrayEquals(expected.all(), got.all(), "length " + n);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 512})
  void sumsAlongRows(int bits) throws Throwable {
    MethodHandle dot3 = function(bits, "dot3", F, longs(4));
    MethodHandle dotDouble = function(bits, "dot_double", JAVA_DOUBLE, longs(3));
    MethodHandle allFinite = function(bits, "all_finite", JAVA_INT, longs(2));
    for (int n : LENGTHS) {
      try (Buffer buffer = new Buffer(n)) {
        MemorySegment m = buffer.memory;
        long count = n;
        float of3 = (float) dot3.invokeExact(count, buffer.at(1), buffer.at(203), buffer.at(400));
        assertEquals(ROWS.dot3(m, 4, m, 812, m, 1600, n), of3, "dot3 of " + n);
        double ofDouble = (double) dotDouble.invokeExact(count, buffer.at(1), buffer.at(203));
        assertEquals(ROWS.dotDouble(m, 4, m, 812, n), ofDouble, "dotDouble of " + n);
        assertEquals(1, (int) allFinite.invokeExact(count, buffer.at(1)));
        for (int i = 0; i < n; i++) {
          m.setAtIndex(JAVA_FLOAT, 1 + i, i % 2 == 0 ? Float.NaN : Float.NEGATIVE_INFINITY);
          assertEquals(0, (int) allFinite.invokeExact(count, buffer.at(1)), i + " of " + n);
          m.setAtIndex(JAVA_FLOAT, 1 + i, i);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 512})
  void changesElements(int bits) throws Throwable {
    MethodHandle fill = function(bits, "fill", null, L, L, F);
    MethodHandle add = function(bits, "add", null, longs(4));
    MethodHandle axpby = function(bits, "axpby", null, L, F, L, F, L);
    MethodHandle scale = function(bits, "scale", null, L, F, L, L);
    MethodHandle norm = function(bits, "norm_combine", null, L, L, L, F, L, F, L, F, L, F, L, L);
    MethodHandle rotate = function(bits, "rotate", null, L, L, L, L, F);
    MethodHandle adamW = function(bits, "adam_w", null, L, L, L, L, L, F, F, F, F, F, F, F);
    MethodHandle changed = function(bits, "changed", null, L, F, L, L, L);
    for (int n : LENGTHS) {
      try (Buffer expected = new Buffer(n);
          Buffer got = new Buffer(n)) {
        MemorySegment m = expected.memory;
        long count = n;
        ROWS.fill(m, 4, n, 2);
        fill.invokeExact(count, got.at(1), 2f);
        ROWS.add(m, 2000, m, 2404, m, 2800, n);
        add.invokeExact(count, got.at(500), got.at(601), got.at(700));
        ROWS.axpby(.3f, m, 2404, -.7f, m, 3200, n);
        axpby.invokeExact(count, .3f, got.at(601), -.7f, got.at(800));
        ROWS.scale(1.1f, m, 2404, m, 3604, n);
        scale.invokeExact(count, 1.1f, got.at(601), got.at(901));
        NormSum sum =
            new NormSum(
                new Run(m, 2000), new Run(m, 2404), new Term(.5f, m, 2800), new Term(.25f, m, 3200),
                new Term(-.3f, m, 3604), new Term(.2f, m, 2000));
        ROWS.normCombine(sum, m, 4000, n);
        norm.invokeExact(
            count, got.at(500), got.at(601), .5f, got.at(700), .25f, got.at(800), -.3f, got.at(901), .2f,
            got.at(500), got.at(1000));
        ROWS.rotate(m, 8000, m, m, 2404, n, -1);
        rotate.invokeExact(count, got.at(2000), got.at(601), got.at(601), -1f);
        ROWS.adamW(STEP, m, m.asSlice(4000), m.asSlice(8000), squares(m, n), 4, n);
        squares(got.memory, n);
        adamW.invokeExact(
            count, got.at(1), got.at(1001), got.at(2001), got.at(3001), STEP.decay(), STEP.gain1(), STEP.beta2(),
            STEP.gain2(), STEP.size(), STEP.rootGain(), STEP.epsilon());
        m.setAtIndex(JAVA_FLOAT, 501, -0f);
        got.memory.setAtIndex(JAVA_FLOAT, 501, -0f);
        new ScalarRecords().changed(.9f, m, 2404, m, 2000, m, 16_000, n);
        changed.invokeExact(count, .9f, got.at(601), got.at(500), got.at(4000));
        assertArrayEquals(expected.all(), got.all(), "length " + n);
      }
    }
  }

  /** Second moments, which are not negative, from element 3,000 on. */
  private static MemorySegment squares(MemorySegment m, int n) {
    for (int i = 3000; i <= 3000 + n; i++) {
      m.setAtIndex(JAVA_FLOAT, i, Math.abs(m.getAtIndex(JAVA_FLOAT, i)));
    }
    return m.asSlice(12_000);
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 512})
  void gatesUnits(int bits) throws Throwable {
    MethodHandle gate = function(bits, "gate", null, longs(4));
    MethodHandle tangent = function(bits, "gate_tangent", null, longs(7));
    MethodHandle backward = function(bits, "gate_backward", null, longs(7));
    MethodHandle second = function(bits, "gate_backward_tangent", null, longs(10));
    GatePrimitives gates = new ScalarGates();
    long apart = 4L * GatePrimitives.RUN;
    for (Nonlinearity f : Nonlinearity.values()) {
      MethodHandle derivatives = function(bits, f.name().toLowerCase(Locale.ROOT), null, longs(5));
      for (int n : LENGTHS) {
        try (Buffer expected = new Buffer(n);
            Buffer got = new Buffer(n)) {
          MemorySegment m = expected.memory;
          long count = n;
          gates.derivatives(f, 2, m, 20_004, m, 4, n);
          derivatives.invokeExact(count, 2L, got.at(5001), got.at(1), apart);
          gates.gate(m, 4, m, 20_804, m, 21_600, n);
          gate.invokeExact(count, got.at(1), got.at(5201), got.at(5400));
          gates.gateTangent(m, 4, m, 20_804, m, 21_600, m, 20_004, m, 22_000, n);
          tangent.invokeExact(
              count, got.at(1), apart, got.at(5201), got.at(5400), got.at(5001), got.at(5500));
          gates.gateBackward(m, 4, m, 20_804, m, 22_000, m, 22_400, m, 22_800, n);
          backward.invokeExact(
              count, got.at(1), apart, got.at(5201), got.at(5500), got.at(5600), got.at(5700));
          gates.gateBackwardTangent(
              m, 4, m, 20_804, m, 22_000, m, 21_600, m, 22_400, m, 22_800, m, 23_200, m, 23_604, n);
          second.invokeExact(
              count, got.at(1), apart, got.at(5201), got.at(5500), got.at(5400), got.at(5600), got.at(5700),
              got.at(5800), got.at(5901));
          assertArrayEquals(expected.all(), got.all(), f + ", length " + n);
        }
      }
    }
  }

  @Test
  void refusesToReachBeyondItsMemory() {
    assumeTrue(NativeCode.BITS > 0, () -> "no native code: " + CpuLibrary.found().reason());
    try (Buffer buffer = new Buffer(0)) {
      MemorySegment m = buffer.memory;
      MemorySegment small = m.asSlice(0, 4 * 99);
      NativeTiles tiles = new NativeTiles();
      RowPrimitives rows = Primitives.best().rows();
      refused(() -> tiles.multiplyAdd(2, 32, 3, m, 0, 4, 8, m, 0, 128, m, 0, 0, small, 0, 280));
      refused(() -> tiles.multiplyAdd(2, 32, 9, small, 0, 4, 80, m, 0, 128, m, 0, 0, m, 0, 128));
      refused(() -> tiles.multiplyAdd(2, 32, 3, m, -4, 4, 8, m, 0, 128, m, 0, 0, m, 0, 128));
      refused(() -> tiles.transpose(10, 10, small, 0, 40, m, 0, 128, 32));
      refused(() -> tiles.prefetch(2, 64, small, 0, 400));
      refused(() -> rows.expSum(small, 4, 99, 1, 0));
      refused(() -> rows.weighted(1, m, 0, small, 0, 0, m, 0, 100));
      refused(() -> rows.rotate(small, 0, m, m, 0, 50, 1));
      GatePrimitives gates = new NativeGates();
      refused(() -> gates.derivatives(Nonlinearity.SILU, 1, m, 0, small, 0, 9));
    }
  }

  private static void refused(Runnable call) {
    IndexOutOfBoundsException e = assertThrows(IndexOutOfBoundsException.class, call::run);
    assertTrue(e.getMessage().startsWith("bytes "), e.getMessage());
  }

  private static MethodHandle function(
      int bits, String name, MemoryLayout result, MemoryLayout... arguments) {
    SymbolLookup symbols = CpuLibrary.found().symbols();
    assumeTrue(symbols != null, () -> "no native code: " + CpuLibrary.found().reason());
    assumeTrue(bits <= NativeCode.BITS, "this processor has no registers of " + bits + " bits");
    return CpuLibrary.function(
        symbols,
        "lethe_f32_" + name + (bits == 512 ? "_avx512" : "_avx2"),
        result == null
            ? FunctionDescriptor.ofVoid(arguments)
            : FunctionDescriptor.of(result, arguments));
  }

  private static MemoryLayout[] longs(int count) {
    return Collections.nCopies(count, JAVA_LONG).toArray(MemoryLayout[]::new);
  }
}
