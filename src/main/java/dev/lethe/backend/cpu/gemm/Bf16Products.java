package dev.lethe.backend.cpu.gemm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.cpu.primitive.CpuLibrary;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.List;

/**
 * Products with bfloat16 factors and float32 sums by the native library {@code native/cpu}, where the
 * jar was built with it and the processor has AMX or AVX-512 BF16. The two round sums in another order.
 * Calls take microseconds, so they are ordinary ones that let the garbage collector work meanwhile.
 */
public final class Bf16Products {
  /** Half the distance of neighbouring bfloat16 numbers, of a number of size one. */
  public static final String ERROR = "relative error up to 2^-8 per factor";

  private static final String FLOAT32 = "Omit --dtype to compute in float32.";
  private static final Found FOUND = find();

  private final Instructions instructions;
  private final MethodHandle round;
  private final MethodHandle multiply;

  /** What multiplies, the fastest first. */
  public enum Instructions {
    AMX("AMX", "lethe_amx_"),
    AVX512("AVX-512 BF16", "lethe_bf16_");

    private final String text;
    private final String prefix;

    Instructions(String text, String prefix) {
      this.text = text;
      this.prefix = prefix;
    }

    @Override
    public String toString() {
      return text;
    }

    private boolean built(SymbolLookup symbols) {
      return symbols.find(prefix + "supported").isPresent();
    }

    private boolean supported(SymbolLookup symbols) {
      return CpuLibrary.ask(symbols, prefix + "supported") != 0;
    }
  }

  /**
   * What this machine has.
   *
   * @param all one for each kind of instructions that can run here, the fastest first
   * @param reason why there are none; null where there are
   * @param remedy the one line that would help; null where there are some
   */
  public record Found(List<Bf16Products> all, String reason, String remedy) {
    private static Found none(String reason, String remedy) {
      return new Found(List.of(), reason, remedy);
    }

    /** The fastest; null where none can run here. */
    public Bf16Products products() {
      return all.isEmpty() ? null : all.getFirst();
    }

    /** Those of one kind; null where it cannot run here. */
    public Bf16Products of(Instructions kind) {
      return all.stream().filter(each -> each.instructions == kind).findAny().orElse(null);
    }
  }

  private Bf16Products(SymbolLookup symbols, Instructions instructions) {
    this.instructions = instructions;
    round =
        CpuLibrary.function(
            symbols,
            instructions.prefix + "round",
            FunctionDescriptor.ofVoid(
                JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG));
    multiply =
        CpuLibrary.function(
            symbols,
            instructions.prefix + "multiply",
            FunctionDescriptor.ofVoid(
                JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG,
                ADDRESS, JAVA_LONG));
  }

  /** What is there; the library is loaded at the first call and stays. */
  public static Found found() {
    return FOUND;
  }

  /** The fastest products; throws where none can run here. */
  public static Bf16Products require() {
    if (FOUND.all.isEmpty()) {
      throw new EnvironmentException(
          "device cpu in bf16",
          "cannot run here: " + FOUND.reason,
          FOUND.remedy);
    }
    return FOUND.products();
  }

  public Instructions instructions() {
    return instructions;
  }

  /** Bytes from a row of {@link #round}ed numbers to the next: never a multiple of 4096. */
  static long stride(int depth) {
    return Math.ceilDiv(depth, 64) * 128L + 64;
  }

  /**
   * Rounds rows of floats to the nearest bfloat16, ties to even, and puts zeros behind them as far as
   * {@link #multiply} reads.
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
      String remedy = library.remedy() == null ? FLOAT32 : library.remedy();
      return Found.none(library.reason(), remedy);
    }
    SymbolLookup symbols = library.symbols();
    if (Arrays.stream(Instructions.values()).noneMatch(kind -> kind.built(symbols))) {
      return Found.none(
          "the compiler that built the native library knows neither AMX nor AVX-512 BF16",
          "Build Lethe again with g++ 11 or newer.");
    }
    List<Bf16Products> all =
        Arrays.stream(Instructions.values())
            .filter(kind -> kind.built(symbols) && kind.supported(symbols))
            .map(kind -> new Bf16Products(symbols, kind))
            .toList();
    return all.isEmpty()
        ? Found.none("the system offers neither AMX nor AVX-512 BF16", FLOAT32)
        : new Found(all, null, null);
  }
}
