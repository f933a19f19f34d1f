package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The stand-in for the NVIDIA driver that native/fake_driver makes and the build puts on the library path of all
 * tests. It has no device but while one of these is open.
 */
public final class FakeDriver implements AutoCloseable {
  static final Path FOLDER =
      Path.of(System.getProperty("lethe.native", "target/native"), "fake_driver");

  private static final Path LIBRARY = FOLDER.resolve("libcuda.so.1");
  private static final List<String> KINDS =
      List.of(
          "context", "stream", "event", "module", "graph", "executable", "node", "memory", "pinned");
  private static final long LONGEST_TEXT = 4096;
  private static final FunctionDescriptor TAKES_TEXT =
      FunctionDescriptor.ofVoid(ValueLayout.ADDRESS);
  private static final FunctionDescriptor COUNTS =
      FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);

  private final MethodHandle configure;
  private final MethodHandle calls;
  private final MethodHandle memory;
  private final MethodHandle live;
  private final MethodHandle lastLaunch;
  private final MethodHandle digest;

  private FakeDriver() {
    SymbolLookup symbols = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
    Linker linker = Linker.nativeLinker();
    configure = linker.downcallHandle(symbols.findOrThrow("fake_driver_configure"), TAKES_TEXT);
    calls = linker.downcallHandle(symbols.findOrThrow("fake_driver_calls"), COUNTS);
    memory =
        linker.downcallHandle(
            symbols.findOrThrow("fake_driver_memory_in_use"),
            FunctionDescriptor.of(ValueLayout.JAVA_LONG));
    live = linker.downcallHandle(symbols.findOrThrow("fake_driver_live"), COUNTS);
    lastLaunch =
        linker.downcallHandle(
            symbols.findOrThrow("fake_driver_last_launch"),
            FunctionDescriptor.of(
                ValueLayout.ADDRESS.withTargetLayout(
                    MemoryLayout.sequenceLayout(LONGEST_TEXT, ValueLayout.JAVA_BYTE))));
    digest =
        linker.downcallHandle(
            symbols.findOrThrow("fake_driver_digest"),
            FunctionDescriptor.of(ValueLayout.JAVA_LONG));
  }

  /** A driver as in {@code "devices=1 memory=1000000"}, or a skipped test where it was not built. */
  public static FakeDriver open(String configuration) {
    requireBuilt();
    FakeDriver driver = new FakeDriver();
    driver.configure(configuration);
    return driver;
  }

  static void requireBuilt() {
    assumeTrue(
        Files.exists(LIBRARY) && FOLDER.toString().equals(System.getenv("LD_LIBRARY_PATH")),
        () -> LIBRARY + " is not there or not on LD_LIBRARY_PATH: the driver layer was NOT tested");
  }

  public void configure(String configuration) {
    try (Arena arena = Arena.ofConfined()) {
      configure.invokeExact(arena.allocateFrom(configuration));
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** Calls of a function of the driver, or kernels run: {@code "kernel"} in all, {@code "kernel.1"} on device 1. */
  public long calls(String function) {
    return number(calls, function);
  }

  /**
   * What was made and not given back.
   *
   * @param kind context, stream, event, module, graph, executable, node of an executable, memory, pinned
   */
  public long live(String kind) {
    return number(live, kind);
  }

  void assertNothingLives() {
    for (String kind : KINDS) {
      assertEquals(0, live(kind), kind + " not given back");
    }
  }

  /**
   * The last call of cuLaunchKernel in words: name, grid x y z, threads, bytes of shared memory, then the 8 bytes of
   * each argument in hex.
   */
  public String lastLaunch() {
    try {
      return ((MemorySegment) lastLaunch.invokeExact()).getString(0);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** Names, grids and arguments of all kernels that ran since this was last asked, as one number; 0 for none. */
  public long digest() {
    try {
      return (long) digest.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** Bytes of device memory, and buffers of pinned memory, that were not given back. */
  public long memoryInUse() {
    try {
      return (long) memory.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static long number(MethodHandle function, String of) {
    try (Arena arena = Arena.ofConfined()) {
      return (long) function.invokeExact(arena.allocateFrom(of));
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    configure("");
  }
}
