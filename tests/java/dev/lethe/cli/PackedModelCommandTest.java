package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.format.gguf.GgufFile;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** A model in four bits trains, forgets, is merged and exported by the commands, as its expanded copy does. */
class PackedModelCommandTest {
  private static final Path GGUF = Path.of("tests/resources/golden/gguf/llama.gguf");
  private static final Path NF4 = Path.of("tests/resources/golden/nf4");

  @TempDir private Path dir;
  private Path data;

  @BeforeEach
  void writeRows() throws IOException {
    data = Files.write(dir.resolve("data.jsonl"), Workplace.rows(8, 2));
  }

  /** The expanded copy is the packed model merged with an adapter that changes nothing. */
  @Test
  void trainsAndForgetsToTheBytesOfTheExpandedModel() throws IOException {
    Path packed = train(GGUF, "packed");
    Path copy = expanded(GGUF);
    Path plain = train(copy, "plain");
    assertSameTensors(packed, plain);
    unlearn(GGUF, packed, "packed-new");
    unlearn(copy, plain, "plain-new");
    assertSameTensors(dir.resolve("packed-new"), dir.resolve("plain-new"));
  }

  @Test
  void mergesAndExports() {
    Path adapter = train(GGUF, "adapter");
    Path merged = dir.resolve("merged");
    ObjectNode said =
        json(run("merge", "--model", GGUF, "--adapter", adapter, "--out", merged, "--weights", "F32", "--json"));
    assertEquals("F32", said.get("weights").asString());
    assertTrue(said.get("largest_difference").asDouble() < 1e-4 * said.get("largest_logit").asDouble(), said.toString());
    assertTrue(Files.exists(merged.resolve("tokenizer.json")));
    try (HfModelFolder folder = HfModelFolder.open(merged)) {
      assertEquals(DType.F32, folder.tensor("model.layers.0.self_attn.q_proj.weight").dtype());
    }
    Path lora = dir.resolve("lora.gguf");
    run("export", "--model", GGUF, "--adapter", adapter, "--gguf-lora", lora);
    try (GgufFile file = GgufFile.open(lora);
        PeftFolder peft = PeftFolder.open(adapter)) {
      assertEquals("adapter", file.metadata().get("general.type"));
      assertEquals("lora", file.metadata().get("adapter.type"));
      assertEquals(peft.config().loraAlpha(), file.metadata().get("adapter.lora.alpha"));
      assertEquals(14, file.names().size());
      String module = PeftFolder.PREFIX + "model.layers.0.self_attn.k_proj";
      Tensor b = peft.tensors().get(module + PeftFolder.LORA_B);
      Tensor rows = file.get("blk.0.attn_k.weight.lora_b");
      assertArrayEquals(b.row(1).toDoubles(), rows.row(2).toDoubles(), "the second pair begins with row 1");
      assertArrayEquals(b.row(32).toDoubles(), rows.row(1).toDoubles(), "the first pair ends with row 32");
      assertArrayEquals(
          peft.tensors().get(module + PeftFolder.LORA_A).toDoubles(),
          file.get("blk.0.attn_k.weight.lora_a").toDoubles());
    }
  }

  @Test
  void mergesNf4IntoBfloat16() {
    Path adapter = train(NF4, "adapter");
    Path merged = dir.resolve("merged");
    ObjectNode said =
        json(run("merge", "--model", NF4, "--adapter", adapter, "--out", merged, "--weights", "BF16", "--json"));
    assertEquals("BF16", said.get("weights").asString());
    assertTrue(said.get("largest_difference").asDouble() < 0.02 * said.get("largest_logit").asDouble(), said.toString());
    ObjectNode config = StrictJson.readObject(merged.resolve("config.json"), 1 << 20);
    assertTrue(!config.has("quantization_config") && config.get("dtype").asString().equals("bfloat16"));
  }

  @Test
  void needsATokenizerForTextOnly() {
    Ended ended =
        Cli.run("generate", "--model", Path.of("tests/resources/golden/gguf/qwen2.gguf"), "--prompt", "a", "--device", "cpu");
    assertTrue(ended.code() != ExitCode.DONE && ended.err().contains("--prompt-ids"), ended.toString());
    run("generate", "--model", GGUF, "--prompt", "Once", "--max-new-tokens", 2, "--device", "cpu");
    run("inspect", "--model", GGUF, "--device", "cpu");
  }

  private Path train(Path model, String name) {
    Path out = dir.resolve(name);
    run("train", "--model", model, "--data", data, "--out", out, "--device", "cpu", "--rank", 2, "--lr", "0.01",
        "--epochs", 2, "--batch", 4);
    return out;
  }

  private void unlearn(Path model, Path adapter, String name) {
    run("unlearn", "--model", model, "--adapter", adapter, "--data", data, "--forget", "row-3", "--out",
        dir.resolve(name), "--device", "cpu", "--method", "influence");
  }

  /** Model and an adapter whose B is zero, merged. */
  private Path expanded(Path model) throws IOException {
    Path zero = dir.resolve("zero");
    Path trained = dir.resolve("packed");
    Files.createDirectories(zero);
    Files.copy(trained.resolve("adapter_config.json"), zero.resolve("adapter_config.json"));
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (SafeTensors file = SafeTensors.open(trained.resolve("adapter_model.safetensors"))) {
      for (String name : file.names()) {
        Shape shape = file.get(name).shape();
        MemorySegment zeros = MemorySegment.ofArray(new float[(int) shape.elements()]);
        tensors.put(name, Tensor.view(zeros, DType.F32, shape));
      }
      SafeTensors.write(zero.resolve("adapter_model.safetensors"), tensors, Map.of());
    }
    Path copy = dir.resolve("copy");
    ObjectNode said =
        json(run("merge", "--model", model, "--adapter", zero, "--out", copy, "--weights", "F32", "--device", "cpu", "--json"));
    assertEquals(0, said.get("largest_difference").asDouble(), "the same floats give the same logits");
    return copy;
  }

  private static void assertSameTensors(Path one, Path other) throws IOException {
    String file = "adapter_model.safetensors";
    assertEquals(-1, Files.mismatch(one.resolve(file), other.resolve(file)), one + " and " + other);
  }

  private static Ended run(Object... args) {
    Ended ended = Cli.run(args);
    assertEquals(ExitCode.DONE, ended.code(), ended.toString());
    return ended;
  }

  private static ObjectNode json(Ended ended) {
    return (ObjectNode) StrictJson.parse(ended.out(), "output");
  }
}
