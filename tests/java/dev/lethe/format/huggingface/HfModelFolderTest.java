package dev.lethe.format.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.RealData;
import dev.lethe.data.DatasetReader;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HfModelFolderTest {
  private static final String INDEX = "model.safetensors.index.json";
  private static final String CONFIG =
      """
      {"model_type": "llama", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1,
       "num_attention_heads": 2, "vocab_size": 16}
      """;

  @TempDir Path temp;
  private Path dir;

  @BeforeEach
  void makeFolder() throws IOException {
    dir = Files.createDirectory(temp.resolve("model"));
    Files.writeString(dir.resolve("config.json"), CONFIG);
  }

  @Test
  void aSingleFileIsOpened() {
    weights("model.safetensors", "a", 1, "b", 2);
    try (HfModelFolder model = HfModelFolder.open(dir)) {
      assertEquals(Set.of("a", "b"), model.tensorNames());
      assertTrue(model.has("a"));
      assertArrayEquals(new double[] {2}, model.tensor("b").toDoubles());
      assertEquals(8, model.config().hiddenSize());
      assertEquals(4, model.config().headDim());
      FormatException e = Refusals.refusal(Kind.UNKNOWN_TENSOR, () -> model.tensor("c"));
      assertTrue(e.getMessage().contains("'c'"), e.getMessage());
    }
  }

  @Test
  void shardsAreOpened() throws IOException {
    weights("model-00001-of-00002.safetensors", "a", 1, "b", 2);
    weights("model-00002-of-00002.safetensors", "c", 3);
    index(
        "a", "model-00001-of-00002.safetensors",
        "b", "model-00001-of-00002.safetensors",
        "c", "model-00002-of-00002.safetensors");
    try (HfModelFolder model = HfModelFolder.open(dir)) {
      assertEquals(List.of("a", "b", "c"), List.copyOf(model.tensorNames()));
      assertArrayEquals(new double[] {3}, model.tensor("c").toDoubles());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../outside.safetensors",
        "/etc/hostname.safetensors",
        "sub/inside.safetensors",
        "..\\\\outside.safetensors",
        "..",
        "",
        ".hidden.safetensors",
        "C:x.safetensors",
        "a\\u0000.safetensors",
        "model.bin"
      })
  void aShardNameThatIsNoPlainNameIsRefused(String name) throws IOException {
    SafeTensors.write(
        temp.resolve("outside.safetensors"), Map.of("a", Tensor.of(Shape.of(1), 1f)), Map.of());
    index("a", name);
    FormatException e = Refusals.refusal(Kind.SHARD_PATH, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains(INDEX), e.getMessage());
  }

  @Test
  void aLinkOutOfTheFolderIsRefusedAndOneWithinIsNot() throws IOException {
    Path outside = temp.resolve("outside.safetensors");
    SafeTensors.write(outside, Map.of("a", Tensor.of(Shape.of(1), 1f)), Map.of());
    Files.createSymbolicLink(dir.resolve("link.safetensors"), outside);
    index("a", "link.safetensors");
    Refusals.refusal(Kind.SHARD_PATH, () -> HfModelFolder.open(dir));
    Files.delete(dir.resolve("link.safetensors"));
    Files.move(outside, dir.resolve("real.safetensors"));
    Files.createSymbolicLink(dir.resolve("link.safetensors"), Path.of("real.safetensors"));
    HfModelFolder.open(dir).close();
  }

  @Test
  void anIndexThatDisagreesWithItsShardsIsRefused() throws IOException {
    weights("one.safetensors", "a", 1);
    weights("two.safetensors", "b", 2);
    index("a", "one.safetensors", "b", "one.safetensors");
    Refusals.refusal(Kind.SHARD_MISMATCH, () -> HfModelFolder.open(dir));
    index("a", "one.safetensors", "c", "two.safetensors");
    Refusals.refusal(Kind.SHARD_MISMATCH, () -> HfModelFolder.open(dir));
    weights("two.safetensors", "b", 2, "a", 1);
    index("a", "one.safetensors", "b", "two.safetensors");
    FormatException twice = Refusals.refusal(Kind.SHARD_MISMATCH, () -> HfModelFolder.open(dir));
    assertTrue(twice.getMessage().contains("two.safetensors"), twice.getMessage());
  }

  /** As transformers does; an earlier save may have left the index, and its shards. */
  @Test
  void aSingleFileWinsOverAnIndex() throws IOException {
    weights("model.safetensors", "a", 1);
    weights("old.safetensors", "a", 2);
    for (String shard : List.of("old.safetensors", "gone.safetensors")) {
      index("a", shard);
      try (HfModelFolder model = HfModelFolder.open(dir)) {
        assertArrayEquals(new double[] {1}, model.tensor("a").toDoubles());
      }
    }
  }

  @Test
  void theTokensThatEndATextAreThoseOfGeneration() throws IOException {
    weights("model.safetensors", "a", 1);
    assertEquals(List.of(2), eos());
    Path file = dir.resolve("generation_config.json");
    Files.writeString(file, "{\"eos_token_id\": [5, 7], \"temperature\": 0.6}");
    assertEquals(List.of(5, 7), eos());
    Files.writeString(file, "{\"temperature\": 0.6}");
    assertEquals(List.of(2), eos());
    Files.writeString(file, "{\"eos_token_id\": \"x\"}");
    FormatException e = Refusals.refusal(Kind.WRONG_TYPE, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains("generation_config.json"), e.getMessage());
  }

  private List<Integer> eos() {
    try (HfModelFolder model = HfModelFolder.open(dir)) {
      return model.config().eosTokenIds();
    }
  }

  @Test
  void aMissingShardIsNamed() throws IOException {
    index("a", "one.safetensors");
    FormatException e = Refusals.refusal(Kind.FILE_MISSING, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains("one.safetensors"), e.getMessage());
  }

  @Test
  void anIndexWithoutAMapIsRefused() throws IOException {
    Files.writeString(dir.resolve(INDEX), "{}");
    Refusals.refusal(Kind.MISSING_FIELD, () -> HfModelFolder.open(dir));
    Files.writeString(dir.resolve(INDEX), "{\"weight_map\": {\"a\": 1}}");
    Refusals.refusal(Kind.WRONG_TYPE, () -> HfModelFolder.open(dir));
  }

  @Test
  void picklesAreRefusedByName() throws IOException {
    Files.write(dir.resolve("pytorch_model.bin"), new byte[10]);
    FormatException e = Refusals.refusal(Kind.PICKLE, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains("pytorch_model.bin"), e.getMessage());
  }

  @Test
  void aConfigurationThatPromisesPackedWeightsHasThem() throws IOException {
    weights("model.safetensors", "a", 1);
    String packed =
        "\"quantization_config\": {\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true,"
            + " \"bnb_4bit_quant_type\": \"nf4\"}}";
    Path config = dir.resolve("config.json");
    Files.writeString(config, CONFIG.strip().replaceFirst("}$", ", ") + packed);
    FormatException e = Refusals.refusal(Kind.UNSUPPORTED, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains("packed in NF4, and none is"), e.getMessage());
  }

  @Test
  void missingPartsAreNamed() throws IOException {
    Refusals.refusal(Kind.FILE_MISSING, () -> HfModelFolder.open(dir));
    Refusals.refusal(Kind.FILE_MISSING, () -> HfModelFolder.open(temp.resolve("nowhere")));
    Files.delete(dir.resolve("config.json"));
    FormatException e = Refusals.refusal(Kind.FILE_MISSING, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains("config.json"), e.getMessage());
  }

  @Test
  void aGitLfsPointerIsNamed() throws IOException {
    Files.copy(
        Refusals.resource("attacks/lfs_pointer.safetensors"), dir.resolve("model.safetensors"));
    FormatException e = Refusals.refusal(Kind.LFS_POINTER, () -> HfModelFolder.open(dir));
    assertTrue(e.getMessage().contains("git lfs pull"), e.getMessage());
  }

  @Test
  void theHashFollowsEveryByteOfConfigurationAndWeights() throws IOException {
    weights("model.safetensors", "a", 1);
    String first = hash();
    assertEquals(first, hash());
    weights("model.safetensors", "a", 2);
    String second = hash();
    assertNotEquals(first, second);
    Files.writeString(dir.resolve("config.json"), CONFIG + " ");
    assertNotEquals(second, hash());
  }

  @Test
  void everyGoldenModelOpens() throws IOException {
    try (var folders = Files.list(Refusals.resource("golden"))) {
      List<Path> models =
          folders.filter(f -> Files.exists(f.resolve("adapter")) && Files.exists(f.resolve("config.json"))).toList();
      assertTrue(models.size() >= 5, models.toString());
      for (Path folder : models) {
        try (HfModelFolder model = HfModelFolder.open(folder);
            PeftFolder adapter = PeftFolder.open(folder.resolve("adapter"))) {
          assertEquals(
              Shape.of(model.config().vocabSize(), model.config().hiddenSize()),
              model.tensor(embedding(model)).shape());
          long pairs = adapter.tensors().keySet().stream().filter(key -> key.matches(".*\\.lora_(embedding_)?A.*")).count();
          assertEquals(adapter.modules().size(), pairs);
          assertTrue(DatasetReader.read(folder.resolve("samples.jsonl")).size() >= 2);
        }
      }
    }
  }

  private static String embedding(HfModelFolder model) {
    return model.config().modelType().equals("gpt2") ? "transformer.wte.weight" : "model.embed_tokens.weight";
  }

  @Test
  void opensARealModel() {
    try (HfModelFolder model = HfModelFolder.open(RealData.require("stories260K"))) {
      assertEquals(Shape.of(512, 64), model.tensor("model.embed_tokens.weight").shape());
      assertEquals(List.of(2), model.config().eosTokenIds());
      assertEquals(64, model.sha256().length());
      for (String name : model.tensorNames()) {
        FiniteCheck.require(name, model.tensor(name));
      }
    }
  }

  private String hash() {
    try (HfModelFolder model = HfModelFolder.open(dir)) {
      return model.sha256();
    }
  }

  private void weights(String file, Object... namesAndValues) {
    Map<String, Tensor> tensors = new java.util.HashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      float value = (Integer) namesAndValues[i + 1];
      tensors.put((String) namesAndValues[i], Tensor.of(Shape.of(1), value));
    }
    SafeTensors.write(dir.resolve(file), tensors, Map.of());
  }

  private void index(String... namesAndShards) throws IOException {
    StringBuilder map = new StringBuilder();
    for (int i = 0; i < namesAndShards.length; i += 2) {
      map.append(i == 0 ? "" : ",");
      map.append("\"%s\": \"%s\"".formatted(namesAndShards[i], namesAndShards[i + 1]));
    }
    Files.writeString(dir.resolve(INDEX), "{\"weight_map\": {" + map + "}}");
  }
}
