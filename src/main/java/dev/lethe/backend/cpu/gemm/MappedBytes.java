package dev.lethe.backend.cpu.gemm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.lethe.backend.cpu.primitive.CpuLibrary;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * Bytes of mapped files for native code that reads them once: copied by the system, which is several times faster than
 * reading them where they are mapped for the first time, and is an error instead of a crash where the file was cut off.
 */
final class MappedBytes {
  /** Null where there is no native code. */
  private static final MethodHandle COPY = copy();

  private MappedBytes() {}

  /** A byte of a segment. */
  record Place(MemorySegment segment, long offset) {}

  /**
   * Where bytes are read from: the copy, or the segment itself where that is no mapped file or nothing can copy it.
   *
   * @param copy memory for so many bytes
   * @throws InternalError where the file has them no more, as Java itself throws it
   */
  static Place of(MemorySegment segment, long offset, long bytes, MemorySegment copy) {
    if (COPY == null || !segment.isMapped()) {
      return new Place(segment, offset);
    }
    long source = segment.asSlice(offset, bytes).address();
    long target = copy.asSlice(0, bytes).address();
    int done;
    try {
      done = (int) COPY.invokeExact(bytes, source, target);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
    if (done < 0) {
      throw new InternalError("a mapped file was cut off while it was read");
    }
    return done == 0 ? new Place(segment, offset) : new Place(copy, 0);
  }

  private static MethodHandle copy() {
    SymbolLookup symbols = CpuLibrary.found().symbols();
    FunctionDescriptor signature = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    return symbols == null ? null : CpuLibrary.function(symbols, "lethe_copy_mapped", signature);
  }
}
