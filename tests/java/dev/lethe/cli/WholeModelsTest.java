package dev.lethe.cli;

import static java.util.stream.Collectors.joining;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.data.PublicTemplates;
import dev.lethe.nn.SeededModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Commands on models in the shapes of Qwen 2.5 0.5B and Llama 3.2 1B, in shards of bfloat16, against transformers and PEFT
 * in float32 ({@code golden/make_whole.py}). In every build with two layers and conversations by small tokenizers; whole
 * with {@code mvn -Preal-sizes} (9 GB), then also by the models' own tokenizers where {@code LETHE_TOKENIZERS} has them.
 */
final class WholeModelsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path GOLDEN = Path.of("tests/resources/golden/whole.json");
  private static final Path TOKENIZERS = Path.of("tests/resources/tokenizers");
  private static final int ROWS = 2;
  private static final int LENGTH = 32;

  /** Of losses, and of gradient norms as a part of them: what float32 loses in a pass through all layers. */
  private static final double TOLERANCE = 5e-5;

  /** Of scores, as a part of the first: a solve ends at a relative residual of 1e-5. */
  private static final double OF_SCORES = 1e-3;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"qwen2.5-0.5b-2", "llama-3.2-1b-2"})
  void withTwoLayers(String name) throws IOException {
    givesTheNumbersOfTransformers(name, TOKENIZERS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"qwen2.5-0.5b", "llama-3.2-1b"})
  void whole(String name) throws IOException {
    assumeTrue(Boolean.getBoolean("lethe.real.sizes"), "skipped: minutes and 9 GB; mvn -Preal-sizes");
    givesTheNumbersOfTransformers(name, null);
  }

  @ParameterizedTest
  @ValueSource(strings = {"qwen2.5-0.5b-text", "llama-3.2-1b-text"})
  void wholeWithTheirTokenizers(String name) throws IOException {
    assumeTrue(Boolean.getBoolean("lethe.real.sizes"), "skipped: minutes and 9 GB; mvn -Preal-sizes");
    String tokenizers = System.getenv("LETHE_TOKENIZERS");
    assumeTrue(tokenizers != null, "skipped: LETHE_TOKENIZERS names no folder, see tests/resources/tokenizers/README.md");
    givesTheNumbersOfTransformers(name, Path.of(tokenizers));
  }

  private void givesTheNumbersOfTransformers(String name, Path tokenizers) throws IOException {
    JsonNode golden = JSON.readTree(GOLDEN).get(name);
    Path model = Files.createDirectory(dir.resolve("model"));
    Path adapter = dir.resolve("adapter");
    SeededModels.write(model, (ObjectNode) golden.get("config"));
    if (tokenizers != null) {
      addTokenizer(model, tokenizers.resolve(golden.get("tokenizer").stringValue()), golden.get("template"));
    }
    SeededModels.writeAdapter(model, adapter, 8, List.of("q_proj", "v_proj", "down_proj"));
    Path data = Files.write(dir.resolve("rows.jsonl"), golden.has("talks") ? talks(golden) : randomRows(golden));
    Object[] adapted = {"--model", model, "--adapter", adapter, "--data", data};

    JsonNode losses = golden.get("losses");
    List<JsonNode> evaluated = json(Workplace.ok(with("evaluate", adapted, "--json")).out());
    assertEquals(losses.get(0).asDouble(), evaluated.get(0).get("loss").asDouble(), TOLERANCE);
    assertEquals(losses.get(1).asDouble(), evaluated.get(1).get("loss").asDouble(), TOLERANCE);

    trains(golden, model, adapter, data);
    generates(golden, model, adapter);
    scores(golden.get("influence"), adapted, data);

    Path unlearned = dir.resolve("unlearned");
    Workplace.ok(
        with("unlearn", adapted, "--forget", "r0", "--damping", 1, "--max-iterations", 2, "--out", unlearned));
    JsonNode forgotten =
        JSON.readTree(unlearned.resolve("lethe_certificate.json")).get("losses").get("forgotten");
    assertEquals(losses.get(0).asDouble(), forgotten.get("before").asDouble(), TOLERANCE);
    assertTrue(
        forgotten.get("after").asDouble() > forgotten.get("before").asDouble(), "the loss of the row did not rise");
  }

  /** A tokenizer's files beside the model's, with another's template where the tokenizer has none. */
  private static void addTokenizer(Path model, Path tokenizer, JsonNode template) throws IOException {
    for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
      Files.copy(tokenizer.resolve(file), model.resolve(file));
    }
    if (!template.isNull()) {
      Files.writeString(model.resolve("chat_template.jinja"), PublicTemplates.source(template.stringValue()));
    }
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
    boolean text = golden.has("prompt");
    JsonNode ids =
        text ? golden.get("prompt_ids") : JSON.valueToTree(SeededModels.ids(0, LENGTH / 2, vocabulary(golden)));
    String prompt =
        text ? golden.get("prompt").stringValue() : ids.valueStream().map(JsonNode::asString).collect(joining(","));
    Object[] options = {
      "--model", model, "--adapter", adapter, text ? "--prompt" : "--prompt-ids", prompt, "--ignore-eos", "--json",
      "--max-new-tokens", golden.get("generated").size()
    };
    JsonNode written = json(Workplace.ok(with("generate", options)).out()).getFirst();
    assertEquals(ids, written.get("prompt_ids"));
    assertEquals(golden.get("generated"), written.get("new_ids"));
  }

  /** What removing either row does to either row's loss. */
  private void scores(JsonNode golden, Object[] adapted, Path data) throws IOException {
    Path out = dir.resolve("scores.jsonl");
    Workplace.ok(
        with("influence", adapted, "--query", data, "--damping", 10, "--tolerance", 1e-5, "--out", out));
    List<JsonNode> queries = json(Files.readString(out));
    assertEquals(ROWS, queries.size());
    double first = golden.get(0).get(0).asDouble();
    for (int query = 0; query < ROWS; query++) {
      for (int row = 0; row < ROWS; row++) {
        double expected = golden.get(query).get(row).asDouble();
        double found = queries.get(query).get("scores").get(row).asDouble();
        assertEquals(expected, found, OF_SCORES * first, "row " + row + " for query " + query);
      }
    }
  }

  private static List<String> talks(JsonNode golden) {
    return golden.get("talks").valueStream().map(JsonNode::toString).toList();
  }

  private static List<String> randomRows(JsonNode golden) {
    List<String> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      int[] ids = SeededModels.ids(row, LENGTH, vocabulary(golden));
      ObjectNode json = JSON.createObjectNode().put("id", "r" + row);
      json.set("input_ids", JSON.valueToTree(ids));
      json.set("labels", JSON.valueToTree(SeededModels.labels(ids)));
      rows.add(json.toString());
    }
    return rows;
  }

  private static long vocabulary(JsonNode golden) {
    return golden.get("config").get("vocab_size").asLong();
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
