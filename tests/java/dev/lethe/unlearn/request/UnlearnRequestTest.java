package dev.lethe.unlearn.request;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.data.RequestFiles;
import dev.lethe.data.Sample;
import dev.lethe.format.FormatException;
import dev.lethe.nn.TinyModels;
import dev.lethe.session.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnlearnRequestTest {
  private static final List<Sample> DATA =
      List.of(
          sample("anna", 1, 2, -100, 3),
          sample("bert", 1, 4, -100, 5),
          sample("carl", 1, 6, -100, 7),
          sample("dora", 1, 8, -100, 9));

  @TempDir Path dir;

  @Test
  void removesAndReplacesInDataOrder() {
    Sample newBert = sample("bert", 1, 4, -100, 6);
    UnlearnRequest request = UnlearnRequest.of(DATA, List.of("dora"), List.of(newBert));
    assertEquals(List.of("bert", "dora"), request.forgetIds());
    assertEquals(List.of(DATA.get(0), DATA.get(2)), request.retained());
    assertEquals(List.of(DATA.get(0), newBert, DATA.get(2)), request.target());
    assertEquals(List.of(DATA.get(1), DATA.get(3)), request.forgotten());
    assertEquals(List.of(newBert), request.replacements());
  }

  @Test
  void aReplacedRowMayBeListedToo() {
    Sample newBert = sample("bert", 1, 4, -100, 6);
    UnlearnRequest once = UnlearnRequest.of(DATA, List.of(), List.of(newBert));
    UnlearnRequest twice = UnlearnRequest.of(DATA, List.of("bert"), List.of(newBert));
    assertEquals(once.changes(), twice.changes());
    assertEquals(once.retained(), twice.retained());
    assertEquals(once.target(), twice.target());
    assertEquals(once.sha256(), twice.sha256());
  }

  @Test
  void tellsTheTasksApart() {
    Sample old = sample("x", 1, 2, -100, 3);
    assertEquals(Change.Kind.REMOVED, new Change(old, null).kind());
    assertEquals(
        Change.Kind.QUERY_MODIFIED, new Change(old, sample("x", 1, 9, -100, 3)).kind());
    assertEquals(
        Change.Kind.RESPONSE_CORRECTED, new Change(old, sample("x", 1, 2, -100, 4)).kind());
    assertEquals(Change.Kind.REWRITTEN, new Change(old, sample("x", 5, 2, -100, 4)).kind());
    assertEquals(Change.Kind.UNCHANGED, new Change(old, sample("x", 1, 2, -100, 3)).kind());
  }

  @Test
  void anEmptyRequestIsNoError() {
    UnlearnRequest request = UnlearnRequest.of(DATA, List.of(), List.of());
    assertTrue(request.isEmpty());
    assertEquals(DATA, request.target());
  }

  @Test
  void unknownIdsAreNamedWithNearOnes() {
    String message = refusal(List.of("anna", "beat", "zzzzzz"), List.of());
    assertTrue(message.contains("'beat' (near: 'bert')"), message);
    assertTrue(message.contains("'zzzzzz'"), message);
    assertTrue(message.contains("4 rows"), message);
    assertFalse(message.contains("'anna'"), message);
  }

  @Test
  void theSameIdTwiceIsRefused() {
    String message = refusal(List.of("anna", "bert", "anna"), List.of());
    assertTrue(message.contains("more than once") && message.contains("'anna'"), message);
  }

  @Test
  void twoReplacementsOfOneRowAreRefused() {
    Sample one = sample("bert", 1, 2, -100, 3);
    String message = refusal(List.of(), List.of(one, sample("bert", 1, 2, -100, 4)));
    assertTrue(message.contains("'bert' has two replacements"), message);
  }

  @Test
  void aReplacementWithoutItsOriginalIsRefused() {
    String message = refusal(List.of("anna"), List.of(sample("berta", 1, 2, -100, 3)));
    assertTrue(message.contains("no original") && message.contains("near: 'bert'"), message);
  }

  @Test
  void removingEverythingIsRefused() {
    String message = refusal(List.of("anna", "bert", "carl", "dora"), List.of());
    assertTrue(message.contains("every training row"), message);
  }

  @Test
  void dataWithOneIdTwiceIsRefused() {
    List<Sample> twice = List.of(DATA.get(0), DATA.get(0));
    LetheException e =
        assertThrows(
            LetheException.class, () -> UnlearnRequest.of(twice, List.of("anna"), List.of()));
    assertTrue(e.getMessage().contains("two rows have the id 'anna'"), e.getMessage());
  }

  @Test
  void readsIdsFromOptionAndFile() throws IOException {
    Path file = Files.writeString(dir.resolve("ids.txt"), "anna\n\n  bert \r\n");
    assertEquals(List.of("anna", "bert"), RequestFiles.ids("anna, bert", Set.of()));
    assertEquals(List.of("anna", "bert"), RequestFiles.ids("@" + file, Set.of()));
    assertEquals(List.of(), RequestFiles.ids(null, Set.of()));
    LetheException e =
        assertThrows(LetheException.class, () -> RequestFiles.ids("anna,,bert", Set.of()));
    assertTrue(e.getMessage().contains("between two commas"), e.getMessage());
    assertThrows(FormatException.class, () -> RequestFiles.ids("@" + dir.resolve("none"), Set.of()));
  }

  @Test
  void aReplacementRowMustNameItsOriginal() throws IOException {
    Path good =
        Files.writeString(
            dir.resolve("good.jsonl"),
            "{\"id\":\"bert\",\"input_ids\":[1,2],\"labels\":[-100,2]}\n");
    Path nameless =
        Files.writeString(
            dir.resolve("bad.jsonl"), "{\"input_ids\":[1,2],\"labels\":[-100,2]}\n");
    Path model = TinyModels.writeFolder(dir.resolve("model"), TinyModels.Dims.DEFAULT, 1);
    try (Session session = Session.open(model, "reference")) {
      List<Sample> read = session.replacements(good, Session.Reading.DEFAULT);
      assertEquals("bert", read.getFirst().id());
      FormatException e =
          assertThrows(
              FormatException.class,
              () -> session.replacements(nameless, Session.Reading.DEFAULT));
      assertTrue(
          e.getMessage().contains("bad.jsonl:1") && e.getMessage().contains("'id'"),
          e.getMessage());
    }
  }

  private static String refusal(List<String> ids, List<Sample> replacements) {
    return assertThrows(
            LetheException.class, () -> UnlearnRequest.of(DATA, ids, replacements))
        .getMessage();
  }

  /** Two query tokens and a response token; a label where it is not −100. */
  private static Sample sample(String id, int first, int second, int ignored, int response) {
    return new Sample(
        id,
        new int[] {first, second, response},
        new int[] {ignored, ignored, response},
        "hash of " + first + second + response);
  }
}
