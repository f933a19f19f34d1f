package dev.lethe.tensor;

import com.sun.management.OperatingSystemMXBean;
import dev.lethe.Text;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The memory that this process may take: the least of what the machine has, what its container allows (control groups,
 * version 1 and 2) and what the user allows by {@code -Dlethe.memory.limit} or {@code LETHE_MEMORY_LIMIT}.
 *
 * @param limit bytes of this process, all in all
 * @param available bytes that can be taken now without swapping, at most what is left of the limit
 * @param resident bytes that this process holds, mapped files apart
 * @param reason whose limit it is, for messages
 */
public record HostMemory(long limit, long available, long resident, String reason) {
  /** What the virtual machine takes besides its heap: classes, compiled code, threads, the tokenizer. */
  private static final long JAVA_BESIDE_HEAP = 160 << 20;

  private static final String PROPERTY = "lethe.memory.limit";
  private static final String VARIABLE = "LETHE_MEMORY_LIMIT";
  private static final Pattern SIZE = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([KMGT]?)(i?)B?", Pattern.CASE_INSENSITIVE);
  private static final String UNITS = "KMGT";

  /** What holds now. */
  public static HostMemory now() {
    return read(Path.of("/"), allowed());
  }

  /**
   * The same of a system whose files lie elsewhere.
   *
   * @param root of the folders {@code proc} and {@code sys}
   * @param allowed by the user; empty: no limit
   */
  static HostMemory read(Path root, OptionalLong allowed) {
    Path memory = root.resolve("proc/meminfo");
    HostMemory least =
        new HostMemory(
            kilobytes(memory, "MemTotal").orElseGet(() -> system().getTotalMemorySize()),
            kilobytes(memory, "MemAvailable").orElseGet(() -> system().getFreeMemorySize()),
            kilobytes(root.resolve("proc/self/status"), "RssAnon").orElse(0),
            "this machine's memory");
    for (ControlGroup group : ControlGroup.all(root)) {
      least = least.within(group.limit(), group.used(), "the limit of its container");
    }
    if (allowed.isPresent()) {
      least = least.within(allowed.getAsLong(), least.resident, VARIABLE);
    }
    return least;
  }

  /** Bytes that more tensors can take: what is left beside Java and the tensors that are there, touched or not. */
  public long room() {
    long taken = HostAllocator.reservedByAll() + ofJava();
    long untouched = Math.max(0, taken - resident);
    return Math.max(0, Math.min(limit - taken, available - untouched));
  }

  private HostMemory within(long other, long used, String whose) {
    long left = Math.min(available, Math.max(0, other - used));
    return other < limit
        ? new HostMemory(other, left, resident, whose)
        : new HostMemory(limit, left, resident, reason);
  }

  /** Bytes of this process that are no tensors. */
  public static long ofJava() {
    return Runtime.getRuntime().totalMemory() + JAVA_BESIDE_HEAP;
  }

  private static OperatingSystemMXBean system() {
    return (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  }

  private static OptionalLong allowed() {
    String property = System.getProperty(PROPERTY);
    String text = property == null ? System.getenv(VARIABLE) : property;
    return text == null || text.isBlank() ? OptionalLong.empty() : OptionalLong.of(bytes(text.strip()));
  }

  /** What people write for a size: {@code 5G}, {@code 5GiB}, {@code 800M}; units are powers of 1024. */
  static long bytes(String text) {
    Matcher match = SIZE.matcher(text);
    if (!match.matches()) {
      throw new IllegalArgumentException(
          Text.format("%s is a number of bytes as 5G or 800M; got '%s'", VARIABLE, text));
    }
    String unit = match.group(2).toUpperCase(Locale.ROOT);
    int power = unit.isEmpty() ? 0 : 1 + UNITS.indexOf(unit);
    return (long) (Double.parseDouble(match.group(1)) * Math.pow(1024, power));
  }

  /** A field of a file of lines such as {@code MemTotal: 12 kB}, in bytes. */
  public static OptionalLong kilobytes(Path file, String field) {
    try (Stream<String> lines = Files.lines(file)) {
      return lines
          .filter(line -> line.startsWith(field + ":"))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst();
    } catch (IOException notLinux) {
      return OptionalLong.empty();
    }
  }

  /**
   * A control group that this process is in.
   *
   * @param limit bytes
   * @param used bytes, but for pages of files that can be dropped
   */
  private record ControlGroup(long limit, long used) {
    /** Those with a limit, from the process's own to the outermost. */
    static List<ControlGroup> all(Path root) {
      try (Stream<String> lines = Files.lines(root.resolve("proc/self/cgroup"))) {
        return lines.flatMap(line -> of(root, line)).toList();
      } catch (IOException noControlGroups) {
        return List.of();
      }
    }

    /** Of a line {@code number:controllers:path}; version 2 names no controllers. */
    private static Stream<ControlGroup> of(Path root, String line) {
      String[] parts = line.split(":", 3);
      boolean second = parts.length == 3 && parts[1].isEmpty();
      if (parts.length < 3 || !second && !List.of(parts[1].split(",")).contains("memory")) {
        return Stream.empty();
      }
      Path groups = root.resolve(second ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
      Stream.Builder<ControlGroup> found = Stream.builder();
      // Inside a container the path may be that of the host, which is not there.
      for (Path at = groups.resolve(parts[2].substring(1)); at.startsWith(groups); at = at.getParent()) {
        ControlGroup group =
            second
                ? read(at, "memory.max", "memory.current", "")
                : read(at, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_");
        if (group != null) {
          found.add(group);
        }
      }
      return found.build();
    }

    /** Null where the folder has no limit; statistics that count groups below have a prefix. */
    private static ControlGroup read(Path folder, String limit, String used, String prefix) {
      OptionalLong most = number(folder.resolve(limit));
      OptionalLong now = number(folder.resolve(used));
      if (most.isEmpty() || now.isEmpty()) {
        return null;
      }
      long droppable =
          statistic(folder, prefix + "inactive_file") + statistic(folder, prefix + "active_file");
      return new ControlGroup(most.getAsLong(), Math.max(0, now.getAsLong() - droppable));
    }

    private static long statistic(Path folder, String field) {
      try (Stream<String> lines = Files.lines(folder.resolve("memory.stat"))) {
        return lines
            .filter(line -> line.startsWith(field + " "))
            .mapToLong(line -> Long.parseLong(line.substring(field.length() + 1)))
            .findFirst()
            .orElse(0);
      } catch (IOException none) {
        return 0;
      }
    }

    /** Empty where the file is not there or says {@code max}. */
    private static OptionalLong number(Path file) {
      try {
        return OptionalLong.of(Long.parseLong(Files.readString(file).strip()));
      } catch (IOException | NumberFormatException unlimited) {
        return OptionalLong.empty();
      }
    }
  }
}
