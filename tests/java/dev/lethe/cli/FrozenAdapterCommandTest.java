package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Adapters with whole copies of weights, or pairs on embedding and head, in the commands. */
class FrozenAdapterCommandTest {
  private static final Path GOLDEN = Path.of("tests/resources/golden");

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"saved_modules", "saved_embedding", "targeted_embedding"})
  void trainsForgetsAndMergesWithItsFrozenParts(String name) throws IOException {
    Path model = GOLDEN.resolve(name);
    Path adapter = model.resolve("adapter");
    Path data = Files.write(dir.resolve("data.jsonl"), Workplace.rows(8, 2));
    Path trained = dir.resolve("trained");
    Ended training =
        run("train", "--model", model, "--init-adapter", adapter, "--data", data, "--out", trained, "--device", "cpu",
            "--lr", "0.01", "--epochs", 2, "--batch", 4);
    assertTrue(training.err().contains("stay frozen"), training.err());
    assertCarriedOn(adapter, trained);
    Path forgotten = dir.resolve("forgotten");
    run("unlearn", "--model", model, "--adapter", trained, "--data", data, "--forget", "row-3", "--out", forgotten,
        "--device", "cpu", "--method", "influence");
    assertCarriedOn(adapter, forgotten);
    ObjectNode certificate = StrictJson.readObject(forgotten.resolve("lethe_certificate.json"), 1 << 20);
    assertTrue(certificate.get("warnings").toString().contains("what they learned of the forgotten rows stays"));
    Path merged = dir.resolve("merged");
    JsonNode said =
        StrictJson.parse(
            run("merge", "--model", model, "--adapter", forgotten, "--out", merged, "--weights", "F32", "--json").out(), "out");
    assertTrue(said.get("largest_difference").asDouble() < 1e-5 * said.get("largest_logit").asDouble(), said.toString());
    assertEquals(mean(model, forgotten, data), mean(merged, null, data), 1e-5);
    run("generate", "--model", model, "--adapter", forgotten, "--prompt-ids", "1,5", "--max-new-tokens", 2, "--device", "cpu");
    run("inspect", "--model", model, "--adapter", adapter, "--device", "cpu");
  }

  @Test
  void whatCannotBeFrozenIsRefusedByName() throws IOException {
    String head = PeftFolder.PREFIX + "lm_head.weight";
    assertRefused("saved_modules", "modules_to_save names a module of which there is no copy", tensors -> tensors.remove(head));
    assertRefused("saved_modules", "another shape", tensors -> tensors.put(head, tensors.get(head).section(0, tensors.get(PeftFolder.PREFIX + "model.norm.weight").shape())));
    assertRefused("saved_modules", "belongs to no weight of this model", tensors -> tensors.put(PeftFolder.PREFIX + "score.weight", tensors.get(head)));
    assertRefused("saved_modules", "PEFT would not read this copy",
        tensors -> tensors.put(PeftFolder.PREFIX + "model.layers.0.self_attn.q_proj.weight", tensors.get(head)));
    assertRefused("targeted_embedding", "half of a pair",
        tensors -> tensors.remove(PeftFolder.PREFIX + "model.embed_tokens.lora_embedding_B"));
  }

  @Test
  void anotherAdapterInTheSameSessionMustHaveTheSame() throws IOException {
    Path model = GOLDEN.resolve("saved_modules");
    Path data = Files.write(dir.resolve("data.jsonl"), Workplace.rows(8, 2));
    Path other = changed("saved_modules", tensors -> {
      String norm = PeftFolder.PREFIX + "model.norm.weight";
      Tensor copy = Tensor.of(tensors.get(norm).shape(), tensors.get(norm).toDoubles());
      copy.set(0, 7);
      tensors.put(norm, copy);
    });
    Ended ended =
        Cli.run("assess", "--model", model, "--data", data, "--forget", "row-3", "--original", model.resolve("adapter"),
            "--unlearned", other, "--retrained", model.resolve("adapter"), "--out", dir.resolve("assessment"), "--device", "cpu");
    assertTrue(ended.code() != ExitCode.DONE && ended.err().contains("frozen weights of another adapter"), ended.toString());
  }

  private interface Change {
    void make(Map<String, Tensor> tensors);
  }

  private void assertRefused(String name, String expected, Change change) throws IOException {
    Path adapter = changed(name, change);
    Ended ended =
        Cli.run("generate", "--model", GOLDEN.resolve(name), "--adapter", adapter, "--prompt-ids", "1,5", "--device", "cpu");
    assertTrue(ended.code() != ExitCode.DONE && ended.err().contains(expected), ended.toString());
  }

  private Path changed(String name, Change change) throws IOException {
    Path from = GOLDEN.resolve(name).resolve("adapter");
    Path to = Files.createTempDirectory(dir, "changed");
    Files.copy(from.resolve("adapter_config.json"), to.resolve("adapter_config.json"));
    try (SafeTensors file = SafeTensors.open(from.resolve("adapter_model.safetensors"))) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      file.names().forEach(key -> tensors.put(key, file.get(key)));
      change.make(tensors);
      SafeTensors.write(to.resolve("adapter_model.safetensors"), tensors, Map.of());
    }
    return to;
  }

  private static double mean(Path model, Path adapter, Path data) {
    Ended ended =
        adapter == null
            ? run("evaluate", "--model", model, "--data", data, "--device", "cpu", "--json")
            : run("evaluate", "--model", model, "--adapter", adapter, "--data", data, "--device", "cpu", "--json");
    return ended.lines().stream()
        .map(line -> StrictJson.parse(line, "line"))
        .filter(line -> line.has("loss"))
        .mapToDouble(line -> line.get("loss").asDouble())
        .average()
        .orElseThrow();
  }

  private static void assertCarriedOn(Path adapter, Path out) {
    try (PeftFolder before = PeftFolder.open(adapter);
        PeftFolder after = PeftFolder.open(out)) {
      assertEquals(before.tensors().keySet(), after.tensors().keySet());
      assertEquals(before.config().modulesToSave(), after.config().modulesToSave());
      before.tensors().forEach((key, tensor) -> {
        String module = PeftFolder.pairModule(key);
        if (module == null || !module.contains("layers.")) {
          assertTrue(tensor.sameBytes(after.tensors().get(key)), key);
        }
      });
    }
  }

  private static Ended run(Object... args) {
    Ended ended = Cli.run(args);
    assertEquals(ExitCode.DONE, ended.code(), ended.toString());
    return ended;
  }
}
