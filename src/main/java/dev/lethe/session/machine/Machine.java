package dev.lethe.session.machine;

import dev.lethe.Text;
import dev.lethe.tensor.HostMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * Processor and memory of this machine, as far as this process may use them: a container's limits
 * count, and what the user allows ({@link HostMemory}).
 *
 * @param cpu the processor's name, or its architecture where the system does not tell
 * @param processors how many this process may use
 * @param totalMemory bytes, at most the container's limit
 * @param availableMemory bytes that can be taken now without swapping
 */
public record Machine(String cpu, int processors, long totalMemory, long availableMemory) {
  /** The machine that this process runs on, asked now. */
  public static Machine current() {
    HostMemory memory = HostMemory.now();
    return new Machine(
        cpuName(), Runtime.getRuntime().availableProcessors(), memory.limit(), memory.available());
  }

  /** The most memory that this process ever held, in bytes; empty where the system does not tell. */
  public static OptionalLong peakResidentMemory() {
    return HostMemory.kilobytes(Path.of("/proc/self/status"), "VmHWM");
  }

  /** Begins to count {@link #peakResidentMemory} from now on, where the system can do that (Linux). */
  public static void resetPeakResidentMemory() {
    try {
      Files.writeString(Path.of("/proc/self/clear_refs"), "5");
    } catch (IOException notAllowed) {
      System.getLogger(Machine.class.getName())
          .log(System.Logger.Level.DEBUG, "peak memory counts from the start", notAllowed);
    }
  }

  /** Bytes as people read them: {@code 12.3 GB}, {@code 4.0 MB}; decimal units. */
  public static String bytes(long bytes) {
    String[] units = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    double value = bytes;
    int unit = 0;
    while (Math.abs(value) >= 1000 && unit < units.length - 1) {
      value /= 1000;
      unit++;
    }
    String format = unit == 0 ? "%.0f %s" : "%.1f %s";
    return Text.format(format, value, units[unit]);
  }

  private static String cpuName() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException notLinux) {
      return System.getProperty("os.arch");
    }
  }
}
