package dev.lethe.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.lethe.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
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
  void aLinkOrAFileInItsPlaceIsRefused() throws IOException {
    Path real = Files.createDirectory(temp.resolve("real"));
    Path link = Files.createSymbolicLink(temp.resolve("link"), real);
    assertThrows(FormatException.class, () -> PrivateFolder.require(link));
    Path file = Files.writeString(temp.resolve("file"), "x");
    assertThrows(FormatException.class, () -> PrivateFolder.require(file));
  }

  private static String permissions(Path folder) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(folder));
  }
}
