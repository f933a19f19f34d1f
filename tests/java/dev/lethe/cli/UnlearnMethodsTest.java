package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The methods of unlearn that follow the training, from the command line. */
class UnlearnMethodsTest {
  @TempDir Path dir;
  private Workplace place;

  @BeforeEach
  void open() {
    place = new Workplace(dir);
  }

  private Ended unlearn(Path adapter, Path data, String out, Object... more) {
    Object[] base = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", data, "--out",
      place.at(out), "--device", "reference"
    };
    return Cli.run(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
  }

  private JsonNode done(Path adapter, Path data, String out, Object... more) {
    Ended ended = unlearn(adapter, data, out, more);
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    return JsonMapper.shared().readTree(place.at(out).resolve("lethe_certificate.json").toFile());
  }

  private Path without(String name, String... ids) {
    List<String> lines = new ArrayList<>(Workplace.rows(Workplace.ROWS, 2));
    lines.removeIf(line -> Stream.of(ids).anyMatch(id -> line.contains("\"" + id + "\"")));
    return place.write(name, lines);
  }

  @ParameterizedTest
  @CsvSource({"bf16, keep", "f32, keep", "bf16, shrink"})
  void exactGivesTheBytesOfTrainingWithout(String dtype, String divisor) throws IOException {
    Path adapter = place.adapter("a", "--trajectory-dtype", dtype, "--row-key", place.key);
    place.adapter("b", "--trajectory-dtype", dtype, "--row-key", place.key, "--without", "row-3,row-8", "--divisor", divisor);
    JsonNode certificate =
        done(adapter, place.data, "c", "--method", "exact", "--forget", "row-3,row-8", "--divisor", divisor);
    for (String file :
        List.of(
            "adapter_model.safetensors", "adapter_config.json", "lethe_training.json",
            "lethe_adamw.safetensors", "lethe_trajectory/gradients.bin",
            "lethe_trajectory/steps.jsonl", "lethe_trajectory/rows.jsonl")) {
      assertArrayEquals(
          Files.readAllBytes(place.at("b").resolve(file)),
          Files.readAllBytes(place.at("c").resolve(file)),
          file);
    }
    assertEquals("exact", certificate.path("method").path("name").asString());
    assertEquals(divisor, certificate.path("method").path("divisor").asString());
  }

  @Test
  void autoReplaysWhereThereIsATrajectory() {
    JsonNode recorded = done(place.adapter("a"), place.data, "c", "--forget", "row-3");
    assertEquals("recorded", recorded.path("method").path("name").asString());
    assertTrue(recorded.path("system").isNull());
    assertTrue(!recorded.path("closure").path("points").isEmpty(), recorded::toString);
    assertTrue(Files.isDirectory(place.at("a/lethe_operators")));
    JsonNode asked = done(place.at("a"), place.data, "d", "--forget", "row-3", "--solver", "minres");
    assertEquals("influence", asked.path("method").path("name").asString());
    Path bare = place.adapter("bare", "--trajectory", "off");
    JsonNode influence = done(bare, place.data, "e", "--forget", "row-3");
    assertEquals("influence", influence.path("method").path("name").asString());
    assertTrue(influence.path("method").path("worth").asString().contains("a third"));
  }

  @Test
  void aWholeHeadButOneStepIsNearlyRetraining() {
    Path adapter = place.adapter("a", "--trajectory-dtype", "f32");
    place.adapter("b", "--trajectory-dtype", "f32", "--without", "row-3");
    done(adapter, place.data, "none", "--forget", "row-3");
    done(adapter, place.data, "head", "--forget", "row-3", "--exact-head", "0.8");
    JsonNode budget = done(adapter, place.data, "budget", "--forget", "row-3", "--budget", "0.5");
    requireWithin(0.5, budget);
    assertTrue(!budget.path("closure").path("points").isEmpty(), budget::toString);
    JsonNode head =
        done(adapter, place.data, "h", "--forget", "row-3", "--budget", "0.5", "--measured-steps", "0");
    requireWithin(0.5, head);
    assertTrue(head.path("replay").path("exactHeadSteps").asInt() > 0);
    double far = distance("none", "b");
    double near = distance("head", "b");
    assertTrue(near < 0.3 * far, near + " with a head, " + far + " without");
    Ended refused = unlearn(adapter, place.data, "x", "--forget", "row-3", "--budget", "0.01");
    assertTrue(refused.toString().contains("at least"), refused::toString);
  }

  private static void requireWithin(double budget, JsonNode certificate) {
    JsonNode cost = certificate.path("cost");
    double spent = cost.path("sampleGradients").asDouble() / cost.path("retraining").asDouble();
    assertTrue(spent > 0 && spent <= budget, spent + " of " + budget);
  }

  private double distance(String one, String other) {
    double[] a = parameters(place.at(one));
    double[] b = parameters(place.at(other));
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.pow(a[i] - b[i], 2);
    }
    return Math.sqrt(sum);
  }

  private static double[] parameters(Path adapter) {
    try (SafeTensors file = SafeTensors.open(adapter.resolve("adapter_model.safetensors"))) {
      return file.names().stream()
          .sorted()
          .flatMapToDouble(name -> Arrays.stream(file.get(name).toDoubles()))
          .toArray();
    }
  }

  @Test
  void requestsFollowOneAnother() throws IOException {
    Path first = place.adapter("a", "--trajectory-dtype", "f32");
    byte[] log = Files.readAllBytes(first.resolve("lethe_trajectory/gradients.bin"));
    done(first, place.data, "b", "--forget", "row-3");
    JsonNode all = done(place.at("b"), place.data, "all", "--forget", "row-8");
    assertTrue(all.path("notes").toString().contains("removed by earlier requests"), all::toString);
    Path rest = without("rest.jsonl", "row-3");
    Ended again = unlearn(place.at("b"), rest, "c", "--forget", "row-3");
    assertTrue(again.toString().contains("removed"), again::toString);
    JsonNode second = done(place.at("b"), rest, "c", "--forget", "row-8");
    assertArrayEquals(parameters(place.at("all")), parameters(place.at("c")));
    assertEquals(1, second.path("chain").size());
    JsonNode trajectory =
        JsonMapper.shared().readTree(place.at("c/lethe_trajectory/trajectory.json").toFile());
    assertEquals(2, trajectory.path("chain").size());
    assertArrayEquals(log, Files.readAllBytes(first.resolve("lethe_trajectory/gradients.bin")));
    done(first, place.data, "both", "--forget", "row-3,row-8");
    place.adapter("again", "--trajectory-dtype", "f32", "--without", "row-3,row-8");
    double apart = distance("c", "both");
    double away = distance("a", "again");
    assertTrue(apart < 0.5 * away, apart + " of " + away);
  }

  @Test
  void averagesNeedStatesOnly() {
    Path states = place.adapter("states", "--trajectory", "off");
    JsonNode few = done(states, place.data, "b", "--method", "averaged", "--forget", "row-3");
    assertEquals("averaged", few.path("method").path("name").asString());
    JsonNode loss = few.path("losses").path("forgotten");
    assertTrue(loss.path("after").asDouble() > loss.path("before").asDouble(), few::toString);
    Path whole = place.adapter("whole", "--trajectory-dtype", "f32");
    done(whole, place.data, "c", "--method", "averaged", "--forget", "row-3");
    assertArrayEquals(parameters(place.at("b")), parameters(place.at("c")), 1e-4);
  }

  /** What {@code lethe prepare} left serves many requests, and each counts its own gradients alone. */
  @Test
  void ekfacTakesWhatWasPrepared() throws IOException {
    Path adapter = place.adapter("a");
    JsonNode fitted = done(adapter, place.data, "fitted", "--method", "ekfac", "--forget", "row-3");
    assertTrue(fitted.path("cost").path("sampleGradients").asInt() > Workplace.ROWS, fitted::toString);
    Workplace.ok("prepare", "--model", place.model, "--adapter", adapter, "--data", place.data, "--device", "reference");
    for (String ids : List.of("row-3", "row-5,row-7")) {
      JsonNode page = done(adapter, place.data, "prepared " + ids, "--method", "ekfac", "--forget", ids);
      assertEquals(ids.split(",").length, page.path("cost").path("sampleGradients").asInt());
      assertTrue(page.path("notes").toString().contains("lethe prepare"), page::toString);
    }
    done(adapter, place.data, "fresh", "--method", "ekfac", "--forget", "row-3", "--set", "fresh=1");
    Path weights = Path.of("adapter_model.safetensors");
    assertEquals(-1, Files.mismatch(place.at("fitted").resolve(weights), place.at("fresh").resolve(weights)));
    assertTrue(Files.mismatch(place.at("fitted").resolve(weights), place.at("prepared row-3").resolve(weights)) >= 0);
  }
}
