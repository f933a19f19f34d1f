package dev.lethe.tensor;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Pages of memory as the system hands them out: a page is taken when somebody first writes to it, on the thread that
 * writes, and in large pages where the system has them. Java's own allocation fills all of a block with zeros first, on
 * the thread that asks. Linux only; elsewhere, and where Java may not call native code, there are none.
 */
public final class SystemPages {
  private static final int READ_WRITE = 3;
  private static final int PRIVATE_ANONYMOUS = 0x22;
  private static final int ADVISE_FORGET = 4;
  private static final int ADVISE_LARGE_PAGES = 14;
  private static final long PAGE = 4096;
  private static final long LARGE_PAGE = 2 << 20;
  private static final SystemPages FOUND = find();

  private final MethodHandle map;
  private final MethodHandle unmap;
  private final MethodHandle advise;

  private SystemPages(Linker linker) {
    map = function(linker, "mmap", ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
    unmap = function(linker, "munmap", JAVA_INT, ADDRESS, JAVA_LONG);
    advise = function(linker, "madvise", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  }

  /**
   * Memory that nobody has touched, aligned to a large page; null where the system gives none this way.
   *
   * @param bytes 2 MiB or more
   */
  static MemorySegment reserve(long bytes) {
    return FOUND == null ? null : FOUND.aligned(Math.ceilDiv(bytes, PAGE) * PAGE, bytes);
  }

  /** Gives back what {@link #reserve} gave. */
  static void release(MemorySegment pages) {
    FOUND.unmap(pages.address(), Math.ceilDiv(pages.byteSize(), PAGE) * PAGE);
  }

  /**
   * Tells that a part of a mapped file is not read again soon: this process holds it no longer, the system's cache of
   * files may. Changes no byte.
   */
  public static void forget(MemorySegment mapped) {
    if (FOUND == null || !mapped.isMapped()) {
      return;
    }
    long first = Math.ceilDiv(mapped.address(), PAGE) * PAGE;
    long end = (mapped.address() + mapped.byteSize()) / PAGE * PAGE;
    if (first < end) {
      FOUND.advise(first, end - first, ADVISE_FORGET);
    }
  }

  private MemorySegment aligned(long whole, long bytes) {
    long start = map(whole + LARGE_PAGE);
    if (start == -1) {
      return null;
    }
    long first = Math.ceilDiv(start, LARGE_PAGE) * LARGE_PAGE;
    if (first > start) {
      unmap(start, first - start);
    }
    unmap(first + whole, start + LARGE_PAGE - first);
    advise(first, whole, ADVISE_LARGE_PAGES);
    return MemorySegment.ofAddress(first).reinterpret(bytes);
  }

  /** The first address; −1 where there is no room. */
  private long map(long bytes) {
    try {
      MemorySegment start =
          (MemorySegment)
              map.invokeExact(MemorySegment.NULL, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
      return start.address();
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  private void unmap(long first, long bytes) {
    if (bytes == 0) {
      return;
    }
    try {
      int failed = (int) unmap.invokeExact(MemorySegment.ofAddress(first), bytes);
      if (failed != 0) {
        throw new IllegalStateException("the system refused to take back its own pages");
      }
    } catch (RuntimeException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  /** Advice; a system that does not take it loses time only. */
  private void advise(long first, long bytes, int what) {
    try {
      int ignored = (int) advise.invokeExact(MemorySegment.ofAddress(first), bytes, what);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  private static SystemPages find() {
    if (!System.getProperty("os.name").equals("Linux")) {
      return null;
    }
    try {
      return new SystemPages(Linker.nativeLinker());
    } catch (IllegalCallerException | UnsupportedOperationException | UnsatisfiedLinkError e) {
      return null;
    }
  }

  private static MethodHandle function(
      Linker linker, String name, MemoryLayout result, MemoryLayout... arguments) {
    MemorySegment symbol =
        linker
            .defaultLookup()
            .find(name)
            .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    return linker.downcallHandle(symbol, FunctionDescriptor.of(result, arguments));
  }
}
