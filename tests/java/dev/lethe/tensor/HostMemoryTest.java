package dev.lethe.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The least of machine, container and user decides; a system is a folder with the files that Linux has. */
final class HostMemoryTest {
  private static final long GIB = 1 << 30;

  @TempDir Path root;

  @Test
  void isTheMachinesWhereNothingElseLimits() throws IOException {
    machine();
    HostMemory memory = HostMemory.read(root, OptionalLong.empty());
    assertEquals(64 * GIB, memory.limit());
    assertEquals(48 * GIB, memory.available());
    assertEquals(GIB, memory.resident());
    assertEquals("this machine's memory", memory.reason());
  }

  @Test
  void isTheContainersInVersionTwo() throws IOException {
    machine();
    write("proc/self/cgroup", "0::/pod/box\n");
    write("sys/fs/cgroup/pod/memory.max", 5 * GIB + "\n");
    write("sys/fs/cgroup/pod/memory.current", 3 * GIB + "\n");
    write("sys/fs/cgroup/pod/memory.stat", "anon 7\nactive_file " + GIB + "\ninactive_file " + GIB + "\n");
    write("sys/fs/cgroup/pod/box/memory.max", "max\n");
    write("sys/fs/cgroup/pod/box/memory.current", 2 * GIB + "\n");
    HostMemory memory = HostMemory.read(root, OptionalLong.empty());
    assertEquals(5 * GIB, memory.limit());
    assertEquals(4 * GIB, memory.available());
    assertEquals("the limit of its container", memory.reason());
  }

  /** In a container, {@code /proc/self/cgroup} may name a folder that only the host sees. */
  @Test
  void isTheContainersInVersionOne() throws IOException {
    machine();
    write("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", 8 * GIB + "\n");
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", 6 * GIB + "\n");
    write("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file " + 3 * GIB + "\n");
    HostMemory memory = HostMemory.read(root, OptionalLong.empty());
    assertEquals(8 * GIB, memory.limit());
    assertEquals(5 * GIB, memory.available());
  }

  @Test
  void isTheUsersWhereThatIsLeast() throws IOException {
    machine();
    HostMemory memory = HostMemory.read(root, OptionalLong.of(4 * GIB));
    assertEquals(4 * GIB, memory.limit());
    assertEquals(3 * GIB, memory.available());
    assertEquals("LETHE_MEMORY_LIMIT", memory.reason());
  }

  @ParameterizedTest
  @CsvSource({"800M, 838860800", "5G, 5368709120", "5gib, 5368709120", "1.5 GB, 1610612736", "4096, 4096"})
  void readsSizesAsPeopleWriteThem(String text, long bytes) {
    assertEquals(bytes, HostMemory.bytes(text));
  }

  @Test
  void refusesWhatIsNoSize() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> HostMemory.bytes("much"));
    assertTrue(e.getMessage().contains("LETHE_MEMORY_LIMIT is a number of bytes as 5G"), e.getMessage());
  }

  private void machine() throws IOException {
    write("proc/meminfo", "MemTotal: " + (64L << 20) + " kB\nMemAvailable: " + (48L << 20) + " kB\n");
    write("proc/self/status", "RssAnon:\t" + (1L << 20) + " kB\n");
  }

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }
}
