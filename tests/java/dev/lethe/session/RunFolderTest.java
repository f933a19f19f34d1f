package dev.lethe.session;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
  @TempDir private Path dir;

  private static void refused(Path target, boolean resume, String says) {
    LetheException e =
        assertThrows(LetheException.class, () -> RunFolder.open(target, resume));
    assertTrue(e.getMessage().contains(says), e.getMessage());
  }

  @Test
  void refusesAnOutputThatExists() throws IOException {
    refused(Files.createDirectory(dir.resolve("out")), false, "exists already");
  }

  @Test
  void anUnfinishedRunIsResumedOnlyWhenAsked() throws IOException {
    Path target = dir.resolve("out");
    refused(target, true, "no unfinished run");
    Path state;
    try (RunFolder run = RunFolder.open(target, false)) {
      assertFalse(run.hasState());
      state = run.state();
      Files.createDirectories(state.resolve("step-1"));
      Files.writeString(state.resolve("step-1").resolve("x"), "state");
    }
    refused(target, false, "--resume");
    try (RunFolder again = RunFolder.open(target, true)) {
      assertTrue(again.hasState());
      again.finish();
    }
    assertFalse(Files.exists(state));
  }

  @Test
  void aRunHoldsItsNameUntilItIsClosed() {
    Path target = dir.resolve("out");
    try (RunFolder run = RunFolder.open(target, false)) {
      refused(target, false, "another run");
    }
    RunFolder.open(target, false).close();
  }

  /** The name that people look for. */
  @Test
  void documentsCallTheStateWhatItIsCalled() throws IOException {
    try (RunFolder run = RunFolder.open(dir.resolve("OUT"), false);
        Stream<Path> docs = Files.walk(Path.of("docs"))) {
      String suffix = run.state().getFileName().toString().replace("OUT", "");
      List<Path> pages =
          Stream.concat(Stream.of(Path.of("README.md")), docs)
              .filter(page -> page.toString().endsWith(".md"))
              .toList();
      int named = 0;
      for (Path page : pages) {
        String text = Files.readString(page);
        assertFalse(text.matches("(?is).*out>?\\.partial.*"), page + " names a state that is not there");
        named += text.contains("OUT" + suffix) ? 1 : 0;
      }
      assertTrue(named > 0, "no document names the state");
    }
  }
}
