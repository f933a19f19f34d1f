package dev.lethe.backend.cuda.driver;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The driver's own library, {@code libcuda.so.1} or {@code nvcuda.dll}. */
final class DriverLibrary {
  private static final boolean WINDOWS = File.separatorChar == '\\';
  private static final String NAME = WINDOWS ? "nvcuda.dll" : "libcuda.so.1";
  private static final Path LOADER_CACHE = Path.of("/etc/ld.so.cache");

  private DriverLibrary() {}

  /**
   * The library's symbols. Where there is no sign of the library, no native code is touched, so that Java
   * prints no warning about native access on machines without a GPU.
   *
   * @throws CudaUnavailable where it is absent or may not be loaded
   */
  static SymbolLookup load() {
    if (!mayBeThere()) {
      throw noDriver();
    }
    try {
      return SymbolLookup.libraryLookup(NAME, Arena.global());
    } catch (IllegalCallerException denied) {
      throw new CudaUnavailable(true, "the JVM denies native access", NativeAccess.REMEDY);
    } catch (IllegalArgumentException absent) {
      throw noDriver();
    }
  }

  private static CudaUnavailable noDriver() {
    return new CudaUnavailable(
        false,
        "no NVIDIA driver: " + NAME + " is not on this machine",
        "With an NVIDIA GPU: install the driver, 580 or newer; in a container, pass the GPU in (--gpus all).");
  }

  private static boolean mayBeThere() {
    if (WINDOWS) {
      String root = System.getenv().getOrDefault("SystemRoot", "C:\\Windows");
      return Files.exists(Path.of(root, "System32", NAME));
    }
    String path = System.getenv().getOrDefault("LD_LIBRARY_PATH", "");
    Stream<String> chosen = Stream.of(path.split(Pattern.quote(File.pathSeparator)));
    Stream<String> usual = Stream.of("/lib64", "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib");
    return Stream.concat(chosen, usual)
            .filter(folder -> !folder.isEmpty())
            .anyMatch(folder -> Files.exists(Path.of(folder, NAME)))
        || inLoaderCache();
  }

  private static boolean inLoaderCache() {
    try {
      return new String(Files.readAllBytes(LOADER_CACHE), StandardCharsets.ISO_8859_1)
          .contains("/" + NAME);
    } catch (IOException absent) {
      return false;
    }
  }
}
