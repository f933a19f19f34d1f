package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.nn.SeededModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Commands on models in the shapes of Qwen 2.5 0.5B and Llama 3.2 1B, in shards of bfloat16, against transformers and PEFT
 * in float32 ({@code golden/make_whole.py}): with two layers in every build, whole with {@code mvn -Preal-sizes} (8 GB).
 */
final class WholeModelsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path GOLDEN = Path.of("tests/resources/golden/whole.json");
  private static final int ROWS = 2;
  private static final int LENGTH = 32;

  /** Of losses, and of gradient norms as a part of them: what float32 loses in a pass through all layers. */
  private static final double TOLERANCE = 5e-5;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"qwen2.5-0.5b-2", "llama-3.2-1b-2"})
  void withTwoLayers(String name) throws IOException {
    givesTheNumbersOfTransformers(name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"qwen2.5-0.5b", "llama-3.2-1b"})
  void whole(String name) throws IOException {
    assumeTrue(Boolean.getBoolean("lethe.real.sizes"), "skipped: minutes and 8 GB; mvn -Preal-sizes");
    givesTheNumbersOfTransformers(name);
  }

  private void givesTheNumbersOfTransformers(String name) throws IOException {
    JsonNode golden = JSON.readTree(GOLDEN).get(name);
    Path model = Files.createDirectory(dir.resolve("model"));
    Path adapter = dir.resolve("adapter");
    SeededModels.write(model, (ObjectNode) golden.get("config"));
    SeededModels.writeAdapter(model, adapter, 8, List.of("q_proj", "v_proj", "down_proj"));
    Path data = Files.write(dir.resolve("rows.jsonl"), rows(golden));
    Object[] adapted = {"--model", model, "--adapter", adapter, "--data", data};

    JsonNode losses = golden.get("losses");
    List<JsonNode> evaluated = json(Workplace.ok(with("evaluate", adapted, "--json")).out());
    assertEquals(losses.get(0).asDouble(), evaluated.get(0).get("loss").asDouble(), TOLERANCE);
    assertEquals(losses.get(1).asDouble(), evaluated.get(1).get("loss").asDouble(), TOLERANCE);

    trains(golden, model, adapter, data);
    generates(golden, model, adapter);

    Path scores = dir.resolve("scores.jsonl");
    Workplace.ok(
        with("influence", adapted, "--query", data, "--damping", 1, "--max-iterations", 2, "--out", scores));
    assertTrue(Files.size(scores) > 0, "no scores");

    Path unlearned = dir.resolve("unlearned");
    Workplace.ok(
        with("unlearn", adapted, "--forget", "r0", "--damping", 1, "--max-iterations", 2, "--out", unlearned));
    JsonNode forgotten =
        JSON.readTree(unlearned.resolve("lethe_certificate.json")).get("losses").get("forgotten");
    assertEquals(losses.get(0).asDouble(), forgotten.get("before").asDouble(), TOLERANCE);
    assertTrue(
        forgotten.get("after").asDouble() > forgotten.get("before").asDouble(), "the loss of the row did not rise");
  }

  private void trains(JsonNode golden, Path model, Path adapter, Path data) throws IOException {
    Path out = dir.resolve("trained");
    Workplace.ok(
        "train", "--model", model, "--data", data, "--init-adapter", adapter, "--batch", ROWS, "--max-steps", 2, "--lr",
        "1e-3", "--schedule", "constant", "--trajectory", "off", "--out", out);
    List<JsonNode> steps = json(Files.readString(out.resolve("lethe_log.jsonl")));
    for (int step = 0; step < 2; step++) {
      JsonNode expected = golden.get("steps").get(step);
      assertEquals(expected.get("loss").asDouble(), steps.get(step).get("loss").asDouble(), TOLERANCE, "step " + step);
      double norm = expected.get("gradient_norm").asDouble();
      double found = steps.get(step).get("gradient_norm").asDouble();
      assertEquals(norm, found, 10 * TOLERANCE * norm, "gradient of step " + step);
    }
  }

  private static void generates(JsonNode golden, Path model, Path adapter) {
    int[] prompt = SeededModels.ids(0, LENGTH / 2, golden.get("config").get("vocab_size").asLong());
    String ids = String.join(",", Arrays.stream(prompt).mapToObj(Integer::toString).toList());
    List<JsonNode> written =
        json(
            Workplace.ok(
                    "generate", "--model", model, "--adapter", adapter, "--prompt-ids", ids, "--ignore-eos",
                    "--max-new-tokens", golden.get("generated").size(), "--json")
                .out());
    assertEquals(golden.get("generated"), written.getFirst().get("new_ids"));
  }

  private static List<String> rows(JsonNode golden) {
    List<String> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      int[] ids = SeededModels.ids(row, LENGTH, golden.get("config").get("vocab_size").asLong());
      ObjectNode json = JSON.createObjectNode().put("id", "r" + row);
      json.set("input_ids", JSON.valueToTree(ids));
      json.set("labels", JSON.valueToTree(SeededModels.labels(ids)));
      rows.add(json.toString());
    }
    return rows;
  }

  private static List<JsonNode> json(String lines) {
    return lines.lines().filter(line -> line.startsWith("{")).map(JSON::readTree).toList();
  }

  private static Object[] with(String command, Object[] options, Object... more) {
    List<Object> all = new ArrayList<>(List.of(command));
    all.addAll(List.of(options));
    all.addAll(List.of(more));
    return all.toArray();
  }
}
