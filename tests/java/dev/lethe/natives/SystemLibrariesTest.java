package dev.lethe.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SystemLibrariesTest {
  private static final String NAME = "libnone.so.1";

  @TempDir Path temporary;

  private Path root;

  @BeforeEach
  void onlyWhereOwnersExist() throws IOException {
    Assumptions.assumeTrue(
        temporary.getFileSystem().supportedFileAttributeViews().contains("unix"),
        "skipped: this file system has no owners");
    root = temporary.toRealPath();
  }

  private Path library(String folder) throws IOException {
    return Files.writeString(Files.createDirectories(root.resolve(folder)).resolve(NAME), "");
  }

  private SystemLibraries.Found find(String searchPath) {
    return new SystemLibraries(Map.of("LD_LIBRARY_PATH", searchPath)::get, root).find(NAME);
  }

  @Test
  void emptyAndRelativeEntriesOfTheSearchPathAreNotOurs() throws IOException {
    Path here = Files.writeString(Path.of(NAME), "");
    try {
      assertNull(find("").file());
      assertNull(find(":").file());
      assertNull(find("." + ":" + "target/..").file());
    } finally {
      Files.delete(here);
    }
    Path chosen = library("chosen");
    assertEquals(chosen, find(":." + ":" + root.resolve("chosen")).file());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "usr/lib/x86_64-linux-gnu", "usr/local/nvidia/lib64", "usr/lib64/nvidia",
        "usr/lib/x86_64-linux-gnu/nvidia/current", "run/opengl-driver/lib", "usr/lib/wsl/lib"
      })
  void foldersOfDriversAreSearchedWithoutTheLoadersCache(String folder) throws IOException {
    Path driver = library(folder);
    assertEquals(driver, find("").file());
  }

  @Test
  void aFolderThatOthersWriteToIsPassedOverWithAReason() throws IOException {
    Path planted = library("open/lib");
    Files.setPosixFilePermissions(root.resolve("open"), PosixFilePermissions.fromString("rwxrwxrwx"));
    SystemLibraries.Found nothing = find(root.resolve("open/lib").toString());
    assertNull(nothing.file());
    assertEquals(
        List.of(planted + " is not trusted: others can write to " + root.resolve("open")), nothing.objections());
    Path good = library("usr/lib64");
    assertEquals(good, find(root.resolve("open/lib").toString()).file());
  }

  @Test
  void theLoadersCacheNamesAbsolutePaths() throws IOException {
    Path odd = library("odd/place");
    Files.createDirectories(root.resolve("etc"));
    Files.write(
        root.resolve("etc/ld.so.cache"),
        ("glibc-ld.so.cache1.1\0" + NAME + "\0" + odd + "\0other.so\0").getBytes(StandardCharsets.ISO_8859_1));
    assertEquals(odd, find("").file());
  }

  @Test
  void itFindsWhatTheSystemHas() {
    Assumptions.assumeTrue(Files.exists(Path.of("/etc/ld.so.cache")), "skipped: this system has no loader's cache");
    SystemLibraries.Found c = SystemLibraries.ofProcess().find("libc.so.6");
    assertTrue(c.file() != null && c.file().isAbsolute(), c.objections().toString());
  }
}
