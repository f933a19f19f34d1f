package dev.lethe.backend.cuda.blas;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** One of the stand-ins for NVIDIA's libraries that native/fake_cublas makes. */
public final class FakeCublas {
  public static final Path FOLDER =
      Path.of(System.getProperty("lethe.native", "target/native"), "fake_cublas").toAbsolutePath();

  private final MethodHandle configure;
  private final MethodHandle count;

  private FakeCublas(String file) {
    SymbolLookup symbols = SymbolLookup.libraryLookup(FOLDER.resolve(file), Arena.global());
    Linker linker = Linker.nativeLinker();
    configure =
        linker.downcallHandle(
            symbols.findOrThrow("fake_cublas_configure"),
            FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    count =
        linker.downcallHandle(
            symbols.findOrThrow("fake_cublas_count"),
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
  }

  /** cuBLASLt, with settings as in {@code "version=130101 wrong=1"}, or a skipped test where it was not built. */
  public static FakeCublas lt(String settings) {
    return open("libcublasLt.so.13", settings);
  }

  /** cuBLAS. */
  public static FakeCublas blas(String settings) {
    return open("libcublas.so.13", settings);
  }

  private static FakeCublas open(String file, String settings) {
    assumeTrue(
        Files.exists(FOLDER.resolve(file)),
        () -> FOLDER.resolve(file) + " is not there: the binding was NOT tested");
    FakeCublas library = new FakeCublas(file);
    library.configure(settings);
    return library;
  }

  /** Removes links below a folder, so that nobody follows them when it is deleted. */
  static void removeLinks(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path link : all.filter(Files::isSymbolicLink).toList()) {
        Files.delete(link);
      }
    }
  }

  public void configure(String settings) {
    try (Arena arena = Arena.ofConfined()) {
      configure.invokeExact(arena.allocateFrom(settings));
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /** How often something happened since the last configuration. */
  public long count(String what) {
    try (Arena arena = Arena.ofConfined()) {
      return (long) count.invokeExact(arena.allocateFrom(what));
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }
}
