package dev.lethe.backend.cpu.primitive;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.lethe.LetheException;
import dev.lethe.natives.PrivateFolder;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The native library {@code native/cpu}, where the jar was built with it. It runs on every x86-64; what
 * its functions need of the processor they tell themselves.
 *
 * @param symbols its functions; null where it cannot be called here
 * @param reason why it cannot; null where it can
 * @param remedy the one line that would help; null where there is none
 */
public record CpuLibrary(SymbolLookup symbols, String reason, String remedy) {
  /** {@code -Dlethe.cpu.native=false}: the CPU backend stays in Java. */
  static final String PROPERTY = "lethe.cpu.native";

  private static final String FILE = "liblethe_cpu.so";
  private static final CpuLibrary FOUND = load();

  /** What is there; the library is loaded at the first call and stays. */
  public static CpuLibrary found() {
    return FOUND;
  }

  /** One of its functions. */
  public static MethodHandle function(
      SymbolLookup symbols, String name, FunctionDescriptor signature, Linker.Option... options) {
    MemorySegment symbol =
        symbols
            .find(name)
            .orElseThrow(() -> new UnsatisfiedLinkError("it has no function " + name));
    return Linker.nativeLinker().downcallHandle(symbol, signature, options);
  }

  /** What one of its functions without arguments says about this machine. */
  public static int ask(SymbolLookup symbols, String name) {
    MethodHandle function = function(symbols, name, FunctionDescriptor.of(JAVA_INT));
    try {
      return (int) function.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  private static CpuLibrary none(String reason, String remedy) {
    return new CpuLibrary(null, reason, remedy);
  }

  private static CpuLibrary load() {
    if ("false".equals(System.getProperty(PROPERTY))) {
      return none("-D" + PROPERTY + "=false forbids it", "Omit that property.");
    }
    String system = System.getProperty("os.name");
    String processor = System.getProperty("os.arch");
    if (!system.equals("Linux") || !processor.equals("amd64")) {
      return none("the native library exists for Linux on x86-64 only", null);
    }
    try (InputStream in = CpuLibrary.class.getResourceAsStream(FILE)) {
      if (in == null) {
        return none(
            "this jar was built without the native library " + FILE,
            "Build Lethe again where cmake and g++ are on the PATH.");
      }
      Path file = PrivateFolder.file(PrivateFolder.cache("cpu"), FILE, in.readAllBytes());
      return new CpuLibrary(SymbolLookup.libraryLookup(file, Arena.global()), null, null);
    } catch (LetheException e) {
      return none(e.getMessage(), "Set XDG_CACHE_HOME to a private folder.");
    } catch (IllegalCallerException e) {
      return none(
          "Java may not call native code: " + e.getMessage(),
          "Start Java with --enable-native-access=ALL-UNNAMED.");
    } catch (IOException | IllegalArgumentException e) {
      return none("the native library cannot be loaded: " + e.getMessage(), null);
    }
  }
}
