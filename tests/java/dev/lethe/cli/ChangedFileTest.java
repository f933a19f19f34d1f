package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.session.Session;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Model files that others change while a session uses them. */
class ChangedFileTest {
  @TempDir private Path dir;
  private Workplace place;
  private Path weights;

  @BeforeEach
  void makeModel() {
    place = new Workplace(dir);
    weights = place.model.resolve("model.safetensors");
  }

  @Test
  void overwrittenInPlaceIsNamedWhenTheSessionCloses() throws IOException {
    Session session = Session.open(place.model, "reference");
    session.model();
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    try (FileChannel channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes));
    }
    Files.setLastModifiedTime(weights, FileTime.fromMillis(1_000_000_000_000L));
    FormatException e = assertThrows(FormatException.class, session::close);
    assertEquals(Kind.CHANGED, e.kind());
    assertTrue(e.getMessage().contains(weights.toString()), e.getMessage());
  }

  @Test
  void noOutputIsCommittedFromChangedWeights() throws IOException {
    try (SafeTensors file = SafeTensors.open(weights);
        OutputFolder out = OutputFolder.create(dir.resolve("out"))) {
      assertFalse(file.names().isEmpty());
      Path other = Files.write(dir.resolve("other"), Files.readAllBytes(weights));
      Files.move(other, weights, StandardCopyOption.REPLACE_EXISTING);
      assertEquals(Kind.CHANGED, assertThrows(FormatException.class, out::commit).kind());
    }
    assertFalse(Files.exists(dir.resolve("out")));
  }

  @Test
  void aFileThatIsCutOffIsNamedAndIsNoBug() throws IOException {
    Session session = Session.open(place.model, "reference");
    Throwable thrown =
        assertThrows(
            InternalError.class,
            () -> {
              try (session) {
                try (FileChannel channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
                  channel.truncate(0);
                }
                session.model();
              }
            });
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code = Ending.of(thrown, null, new PrintStream(err, true, StandardCharsets.UTF_8));
    String said = err.toString(StandardCharsets.UTF_8);
    assertEquals(ExitCode.FAILED, code);
    assertTrue(said.contains(weights.toString()) && !said.contains("bug in Lethe"), said);
  }

  @Test
  void aFileThatIsMovedAwayStaysUsable() throws IOException {
    try (Session session = Session.open(place.model, "reference")) {
      Files.move(weights, dir.resolve("elsewhere"));
      session.model();
    }
  }
}
