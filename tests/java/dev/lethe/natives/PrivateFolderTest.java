package dev.lethe.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrivateFolderTest {
  @TempDir Path temp;

  @BeforeEach
  void onlyWherePermissionsExist() {
    Assumptions.assumeTrue(
        temp.getFileSystem().supportedFileAttributeViews().contains("posix"),
        "skipped: this file system has no permissions");
  }

  @Test
  void newFoldersAreTheOwnersAlone() throws IOException {
    Path folder = PrivateFolder.require(temp.resolve("a").resolve("b"));
    assertEquals("rwx------", permissions(folder));
  }

  @Test
  void foldersThatOthersCouldWriteToAreClosed() throws IOException {
    Path open = Files.createDirectory(temp.resolve("open"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertEquals("rwx------", permissions(PrivateFolder.require(open)));
  }

  @Test
  void newParentsAreTheOwnersAloneToo() throws IOException {
    PrivateFolder.require(temp.resolve("a").resolve("b"));
    assertEquals("rwx------", permissions(temp.resolve("a")));
  }

  @Test
  void aFolderAboveThatOthersCouldWriteToIsRefused() throws IOException {
    Path open = Files.createDirectory(temp.resolve("open"));
    Files.createDirectories(open.resolve("a").resolve("b"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    String message =
        assertThrows(LetheException.class, () -> PrivateFolder.require(open.resolve("a").resolve("b"))).getMessage();
    assertTrue(message.contains("others can write to " + open.toRealPath()), message);
    Files.setAttribute(open, "unix:mode", 01777);
    PrivateFolder.require(open.resolve("a").resolve("b"));
  }

  /** Prints where a library would be unpacked. */
  static final class Where {
    private Where() {}

    public static void main(String[] args) {
      System.out.println(PrivateFolder.cache("test"));
    }
  }

  @Test
  void withoutAHomeNothingIsUnpackedBelowTheWorkingFolder() throws IOException {
    ProcessBuilder process =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Duser.home=?",
            "-Djava.io.tmpdir=" + temp.toRealPath(),
            "-cp",
            System.getProperty("java.class.path"),
            Where.class.getName());
    process.environment().remove("XDG_CACHE_HOME");
    Path working = Files.createDirectory(temp.resolve("working"));
    process.directory(working.toFile()).redirectError(ProcessBuilder.Redirect.INHERIT);
    String said = new String(process.start().getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(said.startsWith(temp.toRealPath() + "/lethe-test"), said);
    try (Stream<Path> files = Files.list(working)) {
      assertEquals(0, files.count());
    }
  }

  @Test
  void aLinkOrAFileInItsPlaceIsRefused() throws IOException {
    Path real = Files.createDirectory(temp.resolve("real"));
    Path link = Files.createSymbolicLink(temp.resolve("link"), real);
    assertThrows(LetheException.class, () -> PrivateFolder.require(link));
    Path file = Files.writeString(temp.resolve("file"), "x");
    assertThrows(LetheException.class, () -> PrivateFolder.require(file));
  }

  @Test
  void aFileWithOtherBytesIsReplaced() throws IOException {
    Path folder = PrivateFolder.require(temp.resolve("own"));
    Files.writeString(folder.resolve("libx.so"), "planted");
    Path elsewhere = Files.writeString(temp.resolve("elsewhere"), "ours");
    Files.createSymbolicLink(folder.resolve("liby.so"), elsewhere);
    for (String name : new String[] {"libx.so", "liby.so", "libz.so"}) {
      Path file = PrivateFolder.file(folder, name, "ours".getBytes(StandardCharsets.UTF_8));
      assertEquals("ours", Files.readString(file));
      assertTrue(Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS), name);
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(3, files.count());
    }
  }

  private static String permissions(Path folder) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(folder));
  }
}
