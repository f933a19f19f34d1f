package dev.lethe;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDirFactory;

/**
 * Temporary folders of tests in memory, where the system has room for them and lets programs run there: a disk is
 * waited for at every file that is written to its end. Elsewhere they are where they always are.
 */
public final class MemoryFolders implements TempDirFactory {
  private static final Path MEMORY = Path.of("/dev/shm");
  private static final Path MOUNTS = Path.of("/proc/mounts");
  private static final long ENOUGH = 8L << 30;
  private static final String PREFIX = "lethe-test-";

  @Override
  public Path createTempDirectory(AnnotatedElementContext element, ExtensionContext test) throws IOException {
    return usable() ? Files.createTempDirectory(MEMORY, PREFIX) : Files.createTempDirectory(PREFIX);
  }

  private static boolean usable() throws IOException {
    return Files.isWritable(MEMORY)
        && Files.getFileStore(MEMORY).getUsableSpace() >= ENOUGH
        && Files.isReadable(MOUNTS)
        && Files.readAllLines(MOUNTS).stream().anyMatch(MemoryFolders::runsPrograms);
  }

  private static boolean runsPrograms(String mount) {
    return mount.startsWith("tmpfs " + MEMORY + " tmpfs ") && !mount.contains("noexec");
  }
}
