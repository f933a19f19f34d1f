package dev.lethe.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.lethe.backend.EnvironmentException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * Products with bfloat16 factors and float32 sums by the native library {@code native/cpu}, where the
 * jar was built with it and the processor has AVX-512 BF16. Calls take tens of microseconds, so they
 * are ordinary ones that let the garbage collector work meanwhile.
 */
final class NativeProducts {
  /** Half the distance of neighbouring bfloat16 numbers, of a number of size one. */
  static final String ERROR = "relative error up to 2^-8 per factor";

  private static final String FLOAT32 = "Leave --dtype away to compute in float32.";
  private static final Found FOUND = find();

  private final MethodHandle round;
  private final MethodHandle multiply;

  /**
   * What this machine has.
   *
   * @param products null where they cannot run here
   * @param reason why they cannot; null where they can
   * @param remedy the one line that would help; null where they can
   */
  record Found(NativeProducts products, String reason, String remedy) {
    private static Found none(String reason, String remedy) {
      return new Found(null, reason, remedy);
    }
  }

  private NativeProducts(SymbolLookup symbols) {
    round =
        CpuLibrary.function(
            symbols,
            "lethe_bf16_round",
            FunctionDescriptor.ofVoid(
                JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG));
    multiply =
        CpuLibrary.function(
            symbols,
            "lethe_bf16_multiply",
            FunctionDescriptor.ofVoid(
                JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG,
                ADDRESS, JAVA_LONG));
  }

  /** What is there; the library is loaded at the first call and stays. */
  static Found found() {
    return FOUND;
  }

  /** The products; throws where they cannot run here. */
  static NativeProducts require() {
    if (FOUND.products == null) {
      throw new EnvironmentException(
          "device cpu in bf16",
          "cannot run here: " + FOUND.reason,
          FOUND.remedy);
    }
    return FOUND.products;
  }

  /** Bytes from a row of {@link #round}ed numbers to the next: never a multiple of 4096. */
  static long stride(int depth) {
    return Math.ceilDiv(depth, 64) * 128L + 64;
  }

  /**
   * Rounds rows of floats to the nearest bfloat16, ties to even.
   *
   * @param from (rows,depth), contiguous rows
   * @param to room for {@code rows} rows of {@link #stride}
   */
  void round(int rows, int depth, Matrix from, MemorySegment to) {
    long stride = stride(depth);
    MemorySegment source = span(from.segment(), from.offset(), rows, from.rowStride(), 4L * depth);
    try {
      round.invokeExact(
          (long) rows, (long) depth, source, from.rowStride(), span(to, 0, rows, stride, stride),
          stride);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  /**
   * C = Z + A·B for one panel of B.
   *
   * @param a (rows,depth) from {@link #round}
   * @param k the first depth, even
   * @param z what C starts from: offset at its first element; may be C; a row stride of 0 repeats a row
   * @param c offset at its first element
   */
  void multiply(
      int rows, int depth, MemorySegment a, Panels b, int panel, int k, Matrix z, Matrix c) {
    long stride = stride(depth);
    int columns = b.used(panel);
    MemorySegment left = span(a, 0, rows, stride, stride);
    long pairs = Math.ceilDiv(depth, 2);
    MemorySegment right = b.segment().asSlice(b.at(panel, k), 4 * pairs * b.width(panel));
    MemorySegment from = span(z.segment(), z.offset(), rows, z.rowStride(), 4L * columns);
    MemorySegment to = span(c.segment(), c.offset(), rows, c.rowStride(), 4L * columns);
    try {
      multiply.invokeExact(
          (long) rows, (long) columns, (long) depth, left, stride, right, from, z.rowStride(), to,
          c.rowStride());
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  /** All that rows of so many bytes cover; throws where that is not inside the segment. */
  private static MemorySegment span(
      MemorySegment segment, long offset, int rows, long stride, long bytes) {
    return segment.asSlice(offset, (rows - 1) * stride + bytes);
  }

  private static Found find() {
    CpuLibrary library = CpuLibrary.found();
    if (library.symbols() == null) {
      return Found.none(library.reason(), library.remedy());
    }
    if (library.symbols().find("lethe_bf16_supported").isEmpty()) {
      return Found.none(
          "the compiler that built their library knows no AVX-512 BF16",
          "Build Lethe again with g++ 10 or newer.");
    }
    return supported(library.symbols())
        ? new Found(new NativeProducts(library.symbols()), null, null)
        : Found.none("this processor has no AVX-512 BF16", FLOAT32);
  }

  private static boolean supported(SymbolLookup symbols) {
    MethodHandle ask =
        CpuLibrary.function(symbols, "lethe_bf16_supported", FunctionDescriptor.of(JAVA_INT));
    try {
      return (int) ask.invokeExact() != 0;
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }
}
