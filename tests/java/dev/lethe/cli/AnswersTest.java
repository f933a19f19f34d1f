package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code evaluate --answers}: tasks of two answers, on text. */
class AnswersTest {
  private static final Path TOKENIZER = Path.of("tests", "resources", "tiny_tokenizer");
  private static final List<String> FILMS = List.of("Heat", "Jaws", "Evita", "Scream", "Alien");

  @TempDir private Path dir;
  private Path model;
  private Path data;

  @BeforeEach
  void write() throws IOException {
    TinyModels.Dims dims = new TinyModels.Dims(1, 12, 17, 6, 2, 512, 64, "");
    model = TinyModels.writeFolder(dir.resolve("model"), dims, 1);
    for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
      Files.copy(TOKENIZER.resolve(name), model.resolve(name));
    }
    data = rows("data.jsonl", "Yes.", "No.", "No.", "Yes.", "No.");
  }

  private Path rows(String name, String... outputs) throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < outputs.length; i++) {
      lines.add(
          "{\"instruction\":\"Like it?\",\"input\":\"%s\",\"output\":\"%s\"}"
              .formatted(FILMS.get(i), outputs[i]));
    }
    return Files.write(dir.resolve(name), lines);
  }

  private Object[] evaluate(Path rows, Object... more) {
    Object[] base = {
      "evaluate", "--model", model, "--data", rows, "--device", "reference", "--template", "plain"
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  private static List<JsonNode> lines(Ended ended) {
    return ended.lines().stream().map(line -> StrictJson.parse(line, "output")).toList();
  }

  private static double logProbability(JsonNode row) {
    return -row.path("loss").asDouble() * row.path("tokens").asLong();
  }

  @Test
  void scoresAreDifferencesOfLogProbabilitiesAndTheAucComesLast() throws IOException {
    List<JsonNode> all = lines(ok(evaluate(data, "--answers", "Yes.,No.")));
    String[] yes = {"Yes.", "Yes.", "Yes.", "Yes.", "Yes."};
    String[] no = {"No.", "No.", "No.", "No.", "No."};
    List<JsonNode> liked = lines(ok(evaluate(rows("yes.jsonl", yes))));
    List<JsonNode> disliked = lines(ok(evaluate(rows("no.jsonl", no))));
    double[] scores = new double[5];
    for (int i = 0; i < 5; i++) {
      scores[i] = all.get(i).path("score").asDouble();
      double expected = logProbability(liked.get(i)) - logProbability(disliked.get(i));
      assertEquals(expected, scores[i], 1e-12);
    }
    int above = 0;
    for (int i : new int[] {0, 3}) {
      for (int j : new int[] {1, 2, 4}) {
        above += scores[i] > scores[j] ? 1 : 0;
      }
    }
    JsonNode last = all.getLast();
    assertEquals(above / 6.0, last.path("auc").asDouble(), 1e-15);
    assertEquals(2, last.path("positives").asInt());
    assertEquals(5, last.path("rows").asInt());
    JsonNode plain = lines(ok(evaluate(data))).getLast();
    assertEquals(plain.path("mean_loss").asDouble(), last.path("mean_loss").asDouble(), 1e-12);
    assertEquals(plain.path("tokens"), last.path("tokens"));
    assertTrue(plain.path("auc").isMissingNode());
  }

  @Test
  void theOtherAnswerFirstTurnsTheScoresAroundAndTheAucStays() {
    Path out = dir.resolve("scores.jsonl");
    List<JsonNode> one = lines(ok(evaluate(data, "--answers", "Yes.,No.")));
    Ended ended = ok(evaluate(data, "--answers", "No.,Yes.", "--out", out));
    assertEquals(1, ended.lines().size());
    JsonNode last = lines(ended).getFirst();
    assertEquals(one.getLast().path("auc").asDouble(), last.path("auc").asDouble(), 1e-15);
    assertEquals(3, last.path("positives").asInt());
    List<JsonNode> other = jsonLines(out);
    for (int i = 0; i < 5; i++) {
      assertEquals(
          -one.get(i).path("score").asDouble(), other.get(i).path("score").asDouble(), 1e-15);
    }
  }

  private static List<JsonNode> jsonLines(Path file) {
    try {
      return Files.readAllLines(file).stream().map(l -> StrictJson.parse(l, "row")).toList();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void whatCannotBeRankedIsRefused() throws IOException {
    refused(ExitCode.USAGE, "two different answers", evaluate(data, "--answers", "Yes."));
    refused(ExitCode.USAGE, "two different answers", evaluate(data, "--answers", "Yes.,Yes."));
    refused(ExitCode.USAGE, "two different answers", evaluate(data, "--answers", ",No."));
    refused(ExitCode.USAGE, "'Yes.,No.,Maybe.'", evaluate(data, "--answers", "Yes.,No.,Maybe."));
    refused(
        ExitCode.FAILED, "row '0': its answer is not one of the two",
        evaluate(data, "--answers", "yes,no"));
    refused(
        ExitCode.FAILED, "all rows have the same answer",
        evaluate(rows("one.jsonl", "No.", "No."), "--answers", "Yes.,No."));
  }

  private void refused(int code, String says, Object[] args) {
    Path out = dir.resolve("out.jsonl");
    Ended ended =
        Cli.run(Stream.concat(Stream.of(args), Stream.of("--out", out)).toArray());
    assertEquals(code, ended.code(), ended::toString);
    assertTrue(ended.err().contains(says), ended::toString);
    assertEquals("", ended.out());
    assertFalse(Files.exists(out));
  }
}
