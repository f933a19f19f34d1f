package dev.lethe.format.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicOutputTest {
  @TempDir Path temp;

  @Test
  void aFileIsReplacedWhole() throws IOException {
    Path file = temp.resolve("new").resolve("file.txt");
    AtomicFiles.writeText(file, "one");
    AtomicFiles.writeText(file, "zwei käse");
    assertEquals("zwei käse", Files.readString(file));
    assertEquals(List.of("new", "file.txt"), entries());
  }

  @Test
  void aFullDiskLeavesWhatWasThere() throws IOException {
    Path file = temp.resolve("file");
    AtomicFiles.writeText(file, "before");
    FormatException e =
        Refusals.refusal(
            Kind.WRITE_FAILED,
            () ->
                AtomicFiles.write(
                    file,
                    channel -> {
                      channel.write(ByteBuffer.allocate(100));
                      throw new IOException("No space left on device");
                    }));
    assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
    assertTrue(e.getMessage().contains("bytes free"), e.getMessage());
    assertEquals("before", Files.readString(file));
    assertEquals(List.of("file"), entries());
  }

  @Test
  void foldersMadeForAFileThatFailedGoAgain() throws IOException {
    Files.createDirectory(temp.resolve("old"));
    Refusals.refusal(
        Kind.WRITE_FAILED,
        () ->
            AtomicFiles.write(
                temp.resolve("old/new/newer/file"),
                channel -> {
                  throw new IOException("No space left on device");
                }));
    assertEquals(List.of("old"), entries());
  }

  @Test
  void anyFailureOfTheWriterLeavesNothing() throws IOException {
    assertThrows(
        IllegalStateException.class,
        () ->
            AtomicFiles.write(
                temp.resolve("file"),
                channel -> {
                  throw new IllegalStateException("tensor was released");
                }));
    assertEquals(List.of(), entries());
  }

  @Test
  void aParentThatIsAFileIsNamed() throws IOException {
    Files.writeString(temp.resolve("file"), "x");
    FormatException e =
        Refusals.refusal(
            Kind.WRITE_FAILED, () -> AtomicFiles.writeText(temp.resolve("file/below"), "y"));
    assertTrue(e.getMessage().contains("not a folder"), e.getMessage());
  }

  @Test
  void aFolderAppearsOnCommitOnly() throws IOException {
    Path target = temp.resolve("a/b/run");
    try (OutputFolder out = OutputFolder.create(target)) {
      Files.writeString(out.path().resolve("x"), "1");
      Files.createDirectories(out.path().resolve("deep/er"));
      Files.writeString(out.path().resolve("deep/er/y"), "2");
      assertFalse(Files.exists(target));
      out.commit();
    }
    assertEquals("2", Files.readString(target.resolve("deep/er/y")));
    assertEquals(List.of("a", "b", "run", "deep", "er", "y", "x"), entries());
  }

  @Test
  void withoutCommitNothingRemains() throws IOException {
    try (OutputFolder out = OutputFolder.create(temp.resolve("run"))) {
      Files.createDirectories(out.path().resolve("deep"));
      Files.writeString(out.path().resolve("deep/y"), "2");
    }
    assertEquals(List.of(), entries());
  }

  @Test
  void whatExistsIsRefusedBeforeAndAfter() throws IOException {
    Path target = temp.resolve("run");
    try (OutputFolder out = OutputFolder.create(target)) {
      Files.createDirectory(target);
      Refusals.refusal(Kind.OUTPUT_EXISTS, out::commit);
    }
    Refusals.refusal(Kind.OUTPUT_EXISTS, () -> OutputFolder.create(target));
    Files.delete(target);
    Files.createSymbolicLink(target, temp.resolve("nowhere"));
    Refusals.refusal(Kind.OUTPUT_EXISTS, () -> OutputFolder.create(target));
    assertEquals(List.of("run"), entries());
  }

  /** The names of everything below the temporary folder, parents first, in order. */
  private List<String> entries() throws IOException {
    try (Stream<Path> all = Files.walk(temp)) {
      return all.filter(p -> !p.equals(temp))
          .sorted()
          .map(p -> p.getFileName().toString())
          .toList();
    }
  }
}
