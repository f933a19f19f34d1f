package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The stand-in for the NVIDIA driver that native/fake_driver makes and the build puts on the library path of all
 * tests. It has no device but while one of these is open.
 */
public final class FakeDriver implements AutoCloseable {
  static final Path FOLDER =
      Path.of(System.getProperty("lethe.native", "target/native"), "fake_driver");

  private static final Path LIBRARY = FOLDER.resolve("libcuda.so.1");
  private static final FunctionDescriptor TAKES_TEXT =
      FunctionDescriptor.ofVoid(ValueLayout.ADDRESS);
  private static final FunctionDescriptor COUNTS =
      FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);

  private final MethodHandle configure;
  private final MethodHandle calls;
  private final MethodHandle memory;

  private FakeDriver() {
    SymbolLookup symbols = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
    Linker linker = Linker.nativeLinker();
    configure = linker.downcallHandle(symbols.findOrThrow("fake_driver_configure"), TAKES_TEXT);
    calls = linker.downcallHandle(symbols.findOrThrow("fake_driver_calls"), COUNTS);
    memory =
        linker.downcallHandle(
            symbols.findOrThrow("fake_driver_memory_in_use"),
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

  /** Calls of a function of the driver, or kernels run, {@code "kernel"}. */
  public long calls(String function) {
    try (Arena arena = Arena.ofConfined()) {
      return (long) calls.invokeExact((MemorySegment) arena.allocateFrom(function));
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

  @Override
  public void close() {
    configure("");
  }
}
