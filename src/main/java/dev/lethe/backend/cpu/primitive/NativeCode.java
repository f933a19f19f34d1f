package dev.lethe.backend.cpu.primitive;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.lethe.Text;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Collections;

/**
 * The float32 functions of the native library ({@code native/cpu/f32_functions.h}), those of the
 * widest registers that the processor has. A call takes microseconds at most, so the virtual machine
 * is told to make no more of it than a jump, and addresses go as numbers; {@link #reach} checks what
 * lies behind them.
 */
final class NativeCode {
  private static final Linker.Option OFF_HEAP = Linker.Option.critical(false);

  /** Bits of the registers; 0 where there are no functions. */
  static final int BITS = bits();

  private static final MemoryLayout L = JAVA_LONG;
  private static final MemoryLayout F = JAVA_FLOAT;

  static final MethodHandle MULTIPLY = function("multiply", null, longs(12));
  static final MethodHandle TRANSPOSE = function("transpose", null, longs(7));
  static final MethodHandle PREFETCH = named("lethe_prefetch", null, longs(4), OFF_HEAP);

  static final MethodHandle WIDEN = function("widen", null, longs(3));
  static final MethodHandle MAX = function("max", F, longs(2));
  static final MethodHandle DOT = function("dot", F, longs(3));
  static final MethodHandle DOT3 = function("dot3", F, longs(4));
  static final MethodHandle ALL_FINITE = function("all_finite", JAVA_INT, longs(2));
  static final MethodHandle EXP_SUM = function("exp_sum", F, L, L, F, F);
  static final MethodHandle FILL = function("fill", null, L, L, F);
  static final MethodHandle ADD = function("add", null, longs(4));
  static final MethodHandle AXPBY = function("axpby", null, L, F, L, F, L);
  static final MethodHandle SCALE = function("scale", null, L, F, L, L);
  static final MethodHandle NORM_COMBINE =
      function("norm_combine", null, L, L, L, F, L, F, L, F, L, F, L, L);
  static final MethodHandle ROTATE = function("rotate", null, L, L, L, L, F);

  static final MethodHandle SILU = function("silu", null, longs(5));
  static final MethodHandle GELU = function("gelu", null, longs(5));
  static final MethodHandle GELU_TANH = function("gelu_tanh", null, longs(5));
  static final MethodHandle GATE = function("gate", null, longs(4));

  /** What only files of bfloat16 need. It may wait for their pages, so the virtual machine does not wait for it. */
  static final class Bfloat16 {
    static final MethodHandle TRANSPOSE = named("lethe_transpose_bf16", JAVA_INT, longs(7));
    static final MethodHandle WIDEN = named("lethe_widen_bf16", null, longs(6));
    static final MethodHandle FINITE = named("lethe_finite_bf16", JAVA_INT, longs(2));

    private Bfloat16() {}
  }

  /** What only derivatives, optimisers and replays call; apart, because linking takes time. */
  static final class Derivatives {
    static final MethodHandle WEIGHTED = function("weighted", null, L, F, L, L, F, L);
    static final MethodHandle ATTENTION_SECOND =
        function("attention_second", null, L, L, L, L, L, F, F, F, F);
    static final MethodHandle ADAM_W =
        function("adam_w", null, L, L, L, L, L, F, F, F, F, F, F, F);
    static final MethodHandle DOT_DOUBLE = function("dot_double", JAVA_DOUBLE, longs(3));
    static final MethodHandle GATE_TANGENT = function("gate_tangent", null, longs(7));
    static final MethodHandle GATE_BACKWARD = function("gate_backward", null, longs(7));
    static final MethodHandle GATE_BACKWARD_TANGENT =
        function("gate_backward_tangent", null, longs(10));
    static final MethodHandle CHANGED = function("changed", null, L, F, L, L, L);
    static final MethodHandle DOTS =
        named(ofSet("dots"), null, new MemoryLayout[] {L, L, L, L, ADDRESS}, Linker.Option.critical(true));
    static final MethodHandle ADD_ROWS = function("add_rows", null, L, F, F, F, F, L, L, L);

    private Derivatives() {}
  }

  private NativeCode() {}

  /** What a call throws although C functions throw nothing. */
  static AssertionError impossible(Throwable thrown) {
    return new AssertionError("C functions throw nothing", thrown);
  }

  /** The address of a run of floats that belongs to the segment. */
  static long floats(MemorySegment segment, long offset, int n) {
    return reach(segment, offset, 4L * n);
  }

  /** The address of an offset behind which so many bytes belong to the segment. */
  static long reach(MemorySegment segment, long offset, long bytes) {
    if (offset < 0 || offset + bytes > segment.byteSize()) {
      throw new IndexOutOfBoundsException(
          Text.format("bytes %d to %d of %s", offset, offset + bytes, segment));
    }
    return segment.address() + offset;
  }

  private static int bits() {
    SymbolLookup symbols = CpuLibrary.found().symbols();
    return symbols == null ? 0 : CpuLibrary.ask(symbols, "lethe_f32_bits");
  }

  private static MethodHandle function(
      String name, MemoryLayout result, MemoryLayout... arguments) {
    return named(ofSet(name), result, arguments, OFF_HEAP);
  }

  private static String ofSet(String name) {
    return "lethe_f32_" + name + "_" + (BITS == 512 ? "avx512" : "avx2");
  }

  private static MethodHandle named(
      String name, MemoryLayout result, MemoryLayout[] arguments, Linker.Option... options) {
    if (BITS == 0) {
      return null;
    }
    FunctionDescriptor signature =
        result == null
            ? FunctionDescriptor.ofVoid(arguments)
            : FunctionDescriptor.of(result, arguments);
    return CpuLibrary.function(CpuLibrary.found().symbols(), name, signature, options);
  }

  private static MemoryLayout[] longs(int count) {
    return Collections.nCopies(count, JAVA_LONG).toArray(MemoryLayout[]::new);
  }
}
