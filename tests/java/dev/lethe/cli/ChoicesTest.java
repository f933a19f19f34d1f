package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code lethe assess --answers}: the numbers of {@code lethe evaluate} on the same rows. */
class ChoicesTest {
  private static final Path TOKENIZER = Path.of("tests", "resources", "tiny_tokenizer", "tokenizer.json");

  @TempDir Path dir;

  private static String rows(String id, int from, int to) {
    StringBuilder text = new StringBuilder();
    for (int i = from; i < to; i++) {
      text.append("{\"id\":\"" + id + i + "\",\"prompt\":\"Is it " + i + "? \",\"response\":\"");
      text.append(i % 3 == 0 ? "Yes." : "No.").append("\"}\n");
    }
    return text.toString();
  }

  @Test
  void rocAndAccuracyOfEveryGroup() throws IOException {
    Path model = TinyModels.writeFolder(dir.resolve("model"), TOKENIZER, 1);
    Path data = Files.writeString(dir.resolve("data.jsonl"), rows("d", 0, 12));
    Path others = Files.writeString(dir.resolve("others.jsonl"), rows("o", 100, 112));
    Path adapter = dir.resolve("adapter");
    ok(
        "train", "--model", model, "--data", data, "--out", adapter, "--device", "reference", "--rank", 2, "--lr", "0.01",
        "--epochs", 2, "--batch", 4, "--quiet");
    ok(
        "assess", "--model", model, "--data", data, "--original", adapter, "--unlearned", adapter, "--retrained", adapter,
        "--forget", "d0,d1,d2", "--held-out", others, "--answers", "Yes.,No.", "--out", dir.resolve("out"), "--device",
        "reference", "--draws", 100, "--answered", 1, "--max-new-tokens", 2, "--quiet");
    JsonNode lines =
        StrictJson.read(dir.resolve("out/assessment.json"), 1 << 24).path("sections").path("choices").path("lines");
    Ended evaluated =
        ok(
            "evaluate", "--model", model, "--adapter", adapter, "--data", others, "--answers", "Yes.,No.", "--device",
            "reference", "--json", "--quiet");
    String last = evaluated.out().lines().toList().getLast();
    double auc = StrictJson.parse(last, "evaluate").path("auc").asDouble();
    assertEquals(auc, lines.path("held-out, AUC").path("unlearned").path("value").asDouble(), 1e-12);
    double right = 0;
    for (String line : evaluated.out().lines().toList()) {
      JsonNode row = StrictJson.parse(line, "evaluate");
      if (row.has("score")) {
        boolean yes = Integer.parseInt(row.path("id").asString().substring(1)) % 3 == 0;
        right += row.path("score").asDouble() > 0 == yes ? 1 / 12.0 : 0;
      }
    }
    assertEquals(right, lines.path("held-out, accuracy").path("retrained").path("value").asDouble(), 1e-12);
    assertTrue(lines.has("forgotten, AUC") && lines.has("retained, accuracy"), lines::toString);
  }
}
