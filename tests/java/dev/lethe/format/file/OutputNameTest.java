package dev.lethe.format.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputNameTest {
  @TempDir Path temp;

  @Test
  void aNameIsTakenOnceAndGivenBack() throws IOException {
    Path target = temp.resolve("new/newer/out");
    try (OutputName name = OutputName.take(target)) {
      String refused = refusal(target);
      assertTrue(refused.contains("process " + ProcessHandle.current().pid()), refused);
      assertEquals(List.of("new", "newer", ".out.lock"), entries());
    }
    assertEquals(List.of(), entries());
    OutputName.take(target).close();
  }

  @Test
  void onePathInTwoSpellingsIsOneName() throws IOException {
    Path link = Files.createSymbolicLink(temp.resolve("link"), temp);
    try (OutputName name = OutputName.take(temp.resolve("out"))) {
      refusal(temp.resolve("other/../out"));
      refusal(link.resolve("out"));
    }
  }

  @Test
  void anotherProcessIsNamedWithItsStart() throws IOException {
    Path target = temp.resolve("out");
    Instant before = Instant.now().minusSeconds(1);
    try (OutputHolder holder = new OutputHolder(target)) {
      String refused = refusal(target);
      assertTrue(refused.contains("process " + holder.pid() + " since "), refused);
      String since = refused.replaceAll("(?s).*since (\\S+Z).*", "$1");
      assertTrue(!Instant.parse(since).isBefore(before.minusSeconds(1)), refused);
      refusal(target); // having looked does not take the lock away
    }
  }

  @Test
  void aKilledHolderBlocksNobody() throws IOException {
    Path target = temp.resolve("out");
    new OutputHolder(target).close();
    assertEquals(List.of(".out.lock"), entries());
    try (OutputName name = OutputName.take(target)) {
      refusal(target);
    }
    assertEquals(List.of(), entries());
  }

  @Test
  void whatExistsIsRefusedAndLeavesNoTrace() throws IOException {
    Path target = Files.createDirectory(temp.resolve("out"));
    Refusals.refusal(Kind.OUTPUT_EXISTS, () -> OutputName.take(target));
    assertEquals(List.of("out"), entries());
    OutputName.hold(target).close();
    assertEquals(List.of("out"), entries());
  }

  @Test
  void aFolderThatCannotBeMadeIsRefused() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "");
    Refusals.refusal(Kind.WRITE_FAILED, () -> OutputName.take(file.resolve("out")));
    assertThrows(FormatException.class, () -> OutputName.take(file.resolve("out")));
  }

  private static String refusal(Path target) {
    return Refusals.refusal(Kind.OUTPUT_TAKEN, () -> OutputName.take(target)).getMessage();
  }

  private List<String> entries() throws IOException {
    try (Stream<Path> all = Files.walk(temp)) {
      return all.skip(1).map(path -> path.getFileName().toString()).toList();
    }
  }
}
