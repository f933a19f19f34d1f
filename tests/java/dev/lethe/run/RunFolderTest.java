package dev.lethe.run;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    RunFolder run = RunFolder.open(target, false);
    assertFalse(run.hasState());
    Files.createDirectories(run.state().resolve("step-1"));
    Files.writeString(run.state().resolve("step-1").resolve("x"), "state");
    refused(target, false, "--resume");
    RunFolder again = RunFolder.open(target, true);
    assertTrue(again.hasState());
    again.finish();
    assertFalse(Files.exists(run.state()));
  }
}
