package dev.lethe.backend.cuda.driver;

import dev.lethe.natives.SystemLibraries;
import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;

/** The driver's own library, {@code libcuda.so.1} or {@code nvcuda.dll}, by its absolute path. */
final class DriverLibrary {
  private static final boolean WINDOWS = File.separatorChar == '\\';
  private static final String NAME = WINDOWS ? "nvcuda.dll" : "libcuda.so.1";

  private DriverLibrary() {}

  /**
   * The library's symbols. Where there is no sign of the library, no native code is touched, so that Java
   * prints no warning about native access on machines without a GPU.
   *
   * @throws CudaUnavailable where it is absent, where others could have put it there, or may not be loaded
   */
  static SymbolLookup load() {
    Path file = WINDOWS ? inSystemFolder() : trusted();
    try {
      return SymbolLookup.libraryLookup(file, Arena.global());
    } catch (IllegalCallerException denied) {
      throw new CudaUnavailable(true, "the JVM denies native access", NativeAccess.REMEDY);
    } catch (IllegalArgumentException broken) {
      throw new CudaUnavailable(
          true,
          "the NVIDIA driver's " + file + " cannot be loaded: " + broken.getMessage(),
          "See what 'ldd " + file + "' misses; install the driver again, 580 or newer.");
    }
  }

  private static CudaUnavailable noDriver() {
    return new CudaUnavailable(
        false,
        "no NVIDIA driver: " + NAME + " is not on this machine",
        "With an NVIDIA GPU: install the driver, 580 or newer; in a container, pass the GPU in (--gpus all).");
  }

  private static Path inSystemFolder() {
    Path file = Path.of(System.getenv().getOrDefault("SystemRoot", "C:\\Windows"), "System32", NAME);
    if (!Files.exists(file)) {
      throw noDriver();
    }
    return file;
  }

  private static Path trusted() {
    SystemLibraries.Found found = SystemLibraries.ofProcess().find(NAME);
    if (found.file() != null) {
      return found.file();
    }
    if (found.objections().isEmpty()) {
      throw noDriver();
    }
    throw new CudaUnavailable(
        true,
        "no NVIDIA driver is loaded: " + String.join("; ", found.objections()),
        "Let the driver's library lie where only root or you can write.");
  }
}
