package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.StrictJson;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The table of SECURITY.md: what the files that Lethe writes give away of rows. */
class WhoLearnsWhatTest {
  private static final Path TOKENIZER = Path.of("tests", "resources", "tiny_tokenizer", "tokenizer.json");
  private static final String SECRET = "zebra";

  @TempDir private static Path dir;
  private static Path adapter;
  private static Path again;
  private static Path forgotten;
  private static Path stepped;
  private static Path assessed;

  /** A training with everything kept, both ways of unlearning, and an assessment. */
  @BeforeAll
  static void work() throws IOException {
    Path model = TinyModels.writeFolder(dir.resolve("model"), TOKENIZER, 1);
    List<String> rows = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      rows.add("{\"id\":\"person-" + i + "\",\"question\":\"Pet " + i + "?\",\"answer\":\"a " + SECRET + " " + i + "\"}");
    }
    Path data = Files.write(dir.resolve("data.jsonl"), rows);
    adapter = dir.resolve("adapter");
    again = dir.resolve("again");
    forgotten = dir.resolve("forgotten");
    stepped = dir.resolve("stepped");
    assessed = dir.resolve("assessed");
    Object[] train = {
      "train", "--model", model, "--data", data, "--device", "reference", "--rank", 2, "--lr", "0.01", "--epochs", 1,
      "--batch", 2, "--trajectory", "on", "--out"
    };
    ok(with(train, adapter));
    ok(with(train, again, "--without", "person-3", "--row-key", adapter.resolve("lethe_row_key")));
    Object[] unlearn = {
      "unlearn", "--model", model, "--adapter", adapter, "--data", data, "--forget", "person-3", "--device",
      "reference", "--out"
    };
    ok(with(unlearn, forgotten, "--force"));
    ok(with(unlearn, stepped, "--method", "influence", "--damping", "0.1"));
    ok(
        "assess", "--model", model, "--data", data, "--original", adapter, "--unlearned", forgotten, "--retrained",
        again, "--forget", "person-3", "--answered", 1, "--max-new-tokens", 2, "--draws", 100, "--device", "reference",
        "--out", assessed);
  }

  private static Object[] with(Object[] words, Object... more) {
    return Stream.concat(Stream.of(words), Stream.of(more)).toArray();
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  private static String text(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.ISO_8859_1);
  }

  private static JsonNode json(Path file) {
    return StrictJson.readObject(file, 1 << 24);
  }

  @Test
  void noFileHoldsTheTextOfARow() throws IOException {
    int seen = 0;
    for (Path folder : List.of(adapter, again, forgotten, stepped, assessed)) {
      for (Path file : files(folder)) {
        assertFalse(text(file).contains(SECRET), file.toString());
        seen++;
      }
    }
    assertTrue(seen > 30, seen + " files");
  }

  /** Certificate, assessment, log and record may be shown: of ids they hold those of the request at most. */
  @Test
  void idsOfOtherRowsStandInTheTrajectoryAndTheOperatorsAlone() throws IOException {
    for (Path folder : List.of(adapter, forgotten, stepped, assessed)) {
      for (Path file : files(folder)) {
        boolean asPrivateAsTheData = file.toString().contains("lethe_trajectory");
        assertEquals(asPrivateAsTheData && text(file).contains("person-"), text(file).contains("person-5"), file.toString());
      }
    }
    assertTrue(text(adapter.resolve("lethe_trajectory/rows.jsonl")).contains("person-5"));
    assertTrue(text(forgotten.resolve("lethe_certificate.json")).contains("person-3"));
    assertTrue(text(assessed.resolve("assessment.json")).contains("person-3"));
    for (String silent : List.of("lethe_log.jsonl", "lethe_training.json")) {
      assertFalse(text(adapter.resolve(silent)).contains("person-"), silent);
    }
  }

  @Test
  void theLogHasLossNormTimeAndTokensOfAStep() throws IOException {
    Set<String> fields = new TreeSet<>();
    for (String line : Files.readAllLines(adapter.resolve("lethe_log.jsonl"))) {
      fields.addAll(StrictJson.parse(line, "log").propertyNames());
    }
    assertEquals(
        new TreeSet<>(Set.of("step", "epoch", "loss", "gradient_norm", "learning_rate", "seconds", "tokens_per_second")), fields);
  }

  @Test
  void theRecordHasOptionsAndKeyedHashes() {
    JsonNode record = json(adapter.resolve("lethe_training.json"));
    assertEquals(8, record.path("n").intValue(), record::toString);
    assertFalse(record.path("row_key_id").isMissingNode(), record::toString);
  }
}
