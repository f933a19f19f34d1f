package dev.lethe.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.lethe.data.ChatTemplate;
import dev.lethe.data.PromptForm;
import dev.lethe.data.Row;
import dev.lethe.data.DatasetReader;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.gguf.GgufModel;
import dev.lethe.format.gguf.GgufWriter;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.frozen.FrozenModel;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Backends;
import dev.lethe.backend.BackendOptions;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** GGUF files, adapters on their model, and chat templates. */
class ModelFuzzTest {
  private static final Path RESOURCES = Path.of("tests", "resources");

  @TempDir private Path dir;

  @Test
  void ggufFiles() throws IOException {
    Path seed = dir.resolve("seed.gguf");
    GgufWriter.write(seed, metadata(), Map.of("token_embd.weight", Tensor.of(Shape.of(4, 2), 1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f)));
    Fuzz.mutations(dir.resolve("fuzzed"), List.of(Files.readAllBytes(seed)), ModelFuzzTest::readGguf);
  }

  private static void readGguf(Path file) {
    try (GgufModel model = GgufModel.open(file)) {
      model.tensorNames().forEach(model::tensor);
      if (model.hasTokenizer()) {
        model.tokenizer();
      }
    }
  }

  /** A whole configuration and a vocabulary, in few bytes. */
  private static Map<String, Object> metadata() {
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", "llama");
    metadata.put("llama.block_count", 1L);
    metadata.put("llama.context_length", 16L);
    metadata.put("llama.embedding_length", 2L);
    metadata.put("llama.feed_forward_length", 2L);
    metadata.put("llama.attention.head_count", 1L);
    metadata.put("llama.attention.head_count_kv", 1L);
    metadata.put("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    metadata.put("llama.rope.freq_base", 100f);
    metadata.put("tokenizer.ggml.model", "gpt2");
    metadata.put("tokenizer.ggml.pre", "llama-bpe");
    metadata.put("tokenizer.ggml.bos_token_id", 0L);
    return metadata;
  }

  @Test
  void adaptersWithFrozenParts() throws IOException {
    Path golden = RESOURCES.resolve("golden/targeted_embedding");
    Path file = dir.resolve("adapter_model.safetensors");
    Path config = dir.resolve("adapter_config.json");
    Files.copy(golden.resolve("adapter/adapter_config.json"), config);
    Files.copy(golden.resolve("adapter/adapter_model.safetensors"), file);
    byte[] honest = Files.readAllBytes(config);
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT)) {
      Fuzz.Reader reader = changed -> {
        Files.copy(changed, file, StandardCopyOption.REPLACE_EXISTING);
        readAdapter(golden, backend);
      };
      Fuzz.mutations(Fuzz.FEWER / 2, dir.resolve("fuzzed"), List.of(Files.readAllBytes(file)), reader);
      Files.copy(golden.resolve("adapter/adapter_model.safetensors"), file, StandardCopyOption.REPLACE_EXISTING);
      Fuzz.mutations(
          Fuzz.FEWER / 2, dir.resolve("fuzzed"), List.of(honest),
          changed -> {
            Files.copy(changed, config, StandardCopyOption.REPLACE_EXISTING);
            readAdapter(golden, backend);
          });
    }
  }

  private void readAdapter(Path golden, Backend backend) {
    try (ModelFiles base = HfModelFolder.open(golden)) {
      FrozenModel.of(base, dir, DType.F32).close();
    }
  }

  @Test
  void chatTemplates() throws IOException {
    List<byte[]> seeds = new ArrayList<>();
    for (JsonNode template : StrictJson.read(RESOURCES.resolve("chat/chat.json"), 1 << 24).get("templates")) {
      seeds.add(template.get("template").stringValue().getBytes(UTF_8));
    }
    Path rows = Files.writeString(
        dir.resolve("rows.jsonl"),
        """
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, \
        {"role": "assistant", "content": "a"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "b"}]}
        """);
    Row row = DatasetReader.read(rows).getFirst();
    Path template = dir.resolve("chat_template.jinja");
    Fuzz.mutations(
        dir.resolve("fuzzed"), seeds,
        changed -> {
          Files.copy(changed, template, StandardCopyOption.REPLACE_EXISTING);
          ChatTemplate.of(dir, PromptForm.Supervise.ALL, LocalDateTime.of(2026, 1, 2, 3, 4)).render(row, "row 0");
        });
  }
}
