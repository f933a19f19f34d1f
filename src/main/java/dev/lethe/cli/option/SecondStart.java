package dev.lethe.cli.option;

import dev.lethe.backend.Backends;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Starts java a second time, with the Vector API, in the same process: for the launcher, which leaves it out where native
 * code did the arithmetic when Lethe was built, on a machine where that code does not run.
 */
public final class SecondStart {
  /** The launcher's word that it may have left the Vector API out. */
  private static final String PROPERTY = "lethe.start.again";

  /** The launcher's word that Java's compiler may inline less, which kernels in Java cannot do without. */
  private static final String LESS_INLINING = "-XX:InlineSmallCode=500";

  private static final String MODULE = "jdk.incubator.vector";

  private SecondStart() {}

  /** Does not return where the Vector API is missing and needed, and the launcher allows it. */
  public static void whereItHelps() {
    if (Boolean.getBoolean(PROPERTY) && vectorsWouldHelp()) {
      List<String> command = new ArrayList<>(ownCommand());
      command.removeIf(SecondStart::isForNativeCode);
      command.add(1, "--add-modules=" + MODULE);
      become(command);
    }
  }

  /** Words of the launcher that hold only where native code does the arithmetic. */
  private static boolean isForNativeCode(String word) {
    return word.startsWith("-XX:AOTCache=") || word.equals(LESS_INLINING) || word.equals("-D" + PROPERTY + "=true");
  }

  /** Whether the arithmetic is done in Java without the Vector API, which is slow. */
  public static boolean vectorsWouldHelp() {
    return ModuleLayer.boot().findModule(MODULE).isEmpty()
        && Backends.explain().stream()
            .filter(backend -> backend.name().equals("cpu"))
            .anyMatch(backend -> backend.availability().remedy() != null);
  }

  private static List<String> ownCommand() {
    try {
      String all = Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.ISO_8859_1);
      return List.of(all.substring(0, all.length() - 1).split("\0", -1));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@code execv}; returns where that fails, and all goes on more slowly. */
  private static void become(List<String> command) {
    Linker linker = Linker.nativeLinker();
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle execv =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("execv"),
              FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
      MemorySegment words = arena.allocate(ValueLayout.ADDRESS, command.size() + 1);
      for (int i = 0; i < command.size(); i++) {
        MemorySegment word = arena.allocateFrom(command.get(i), StandardCharsets.ISO_8859_1);
        words.setAtIndex(ValueLayout.ADDRESS, i, word);
      }
      int result = (int) execv.invokeExact(arena.allocateFrom("/proc/self/exe"), words);
      throw new IllegalStateException("execv returned " + result);
    } catch (Throwable e) {
      System.getLogger(SecondStart.class.getName())
          .log(System.Logger.Level.WARNING, "java did not start again with --add-modules " + MODULE, e);
    }
  }
}
