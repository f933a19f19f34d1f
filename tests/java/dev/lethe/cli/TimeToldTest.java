package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.PassWatch;
import dev.lethe.cli.Cli.Ended;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.format.StrictJson;
import dev.lethe.session.SampleGradients;
import dev.lethe.session.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Commands say what they took, where they are, and that a system was not solved. */
class TimeToldTest {
  @TempDir private static Path dir;
  private static Workplace place;
  private static Path adapter;

  @BeforeAll
  static void train() {
    place = new Workplace(dir);
    adapter = place.adapter("adapter");
  }

  private static Object[] on(String command, Object... more) {
    List<Object> words = new ArrayList<>(List.of(command, "--model", place.model, "--adapter", adapter));
    words.addAll(List.of("--data", place.data, "--device", "reference"));
    words.addAll(List.of(more));
    return words.toArray();
  }

  @Test
  void theLastLineSaysWhatItTook() {
    String took = " took \\d.* s, memory at most \\d.*B, tensors \\d.*B of \\d.*B planned";
    Ended said = ok(on("evaluate"));
    assertTrue(said.err().lines().toList().getLast().matches("lethe: evaluate" + took), said.err());
    assertEquals("", ok(on("evaluate", "--quiet")).err());
  }

  @Test
  void theLogHasTimesForEachStep() throws IOException {
    for (String line : Files.readAllLines(adapter.resolve("lethe_log.jsonl"))) {
      JsonNode step = StrictJson.parse(line, "step");
      assertTrue(step.get("seconds").doubleValue() > 0, line);
      assertTrue(step.get("tokens_per_second").doubleValue() > 0, line);
    }
  }

  @Test
  void aSystemThatWasNotSolvedIsToldOnStandardErrorAndInTheOutput() {
    Ended influence = ok(on("influence", "--query", place.data, "--max-iterations", 1, "--quiet"));
    assertTrue(influence.err().contains("query 'row-0' was not solved"), influence.err());
    assertTrue(influence.out().contains("not solved: "), influence.out());
    Ended json = ok(on("influence", "--query", place.data, "--max-iterations", 1, "--quiet", "--json"));
    assertTrue(json.out().contains("\"converged\":false,\"stop\":\""), json.out());
    Ended unlearn =
        ok(
            on(
                "unlearn", "--forget", "row-3", "--out", place.at("out"), "--method", "influence",
                "--max-iterations", 1, "--tolerance", "1e-9", "--quiet"));
    assertTrue(unlearn.err().contains("the system of step 1 was not solved"), unlearn.err());
  }

  @Test
  void aFileOfManyVectorsIsNotTakenForAnotherModels() {
    Path each = place.at("each.safetensors");
    ok(on("gradients", "--per-sample", "--out", each));
    Ended refused = Cli.run(on("hvp", "--vector", each, "--out", place.at("product.safetensors")));
    assertEquals(1, refused.code());
    assertTrue(refused.err().contains("gradients --per-sample"), refused.err());
    assertTrue(refused.err().contains("12 of them"), refused.err());
  }

  /** One forward and one backward over each batch: that is what moves the line inside a batch. */
  @Test
  void passesAreSeenWhileTheyRun() {
    List<Integer> ended = new ArrayList<>();
    PassWatch watch =
        (operation, all, samples) -> {
          if (operation == all) {
            ended.add(samples);
          }
        };
    try (Session session = Session.open(place.model, "reference")) {
      SampleGradients gradients =
          new SampleGradients(session.adapted(adapter), session.samples(place.data)).limits(new BatchLimits(5, 4096));
      PassWatch.during(watch, gradients::toArrays);
      gradients.toArrays();
    }
    assertEquals(List.of(5, 5, 5, 5, 2, 2), ended);
  }
}
