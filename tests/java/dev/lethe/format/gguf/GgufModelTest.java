package dev.lethe.format.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.RealData;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.MemoryNeed;
import dev.lethe.session.Session;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import dev.lethe.tokenizer.HfTokenizer;
import dev.lethe.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Packed models compute what transformers computes from their expanded weights. */
class GgufModelTest {
  private static final Path GOLDEN = Path.of("tests/resources/golden");

  @ParameterizedTest
  @CsvSource({"gguf,llama,reference,1e-9", "gguf,llama,cpu,2e-4", "gguf,qwen2,reference,1e-9",
      "gguf,qwen2,cpu,2e-4", "nf4,nf4,reference,1e-9", "nf4,nf4,cpu,2e-4"})
  void computesTransformersLogits(String folder, String name, String device, double tolerance) {
    JsonNode golden = golden(folder, name);
    Path path = folder.equals("nf4") ? GOLDEN.resolve("nf4") : gguf(name);
    try (ModelFiles files = BaseModels.open(path);
        Backend backend = Backends.select(device, new BackendOptions(2));
        LanguageModel model = LanguageModel.open(files, backend)) {
      double[][] logits = new AdaptedModel(model, null).logits(ints(golden.get("ids")));
      assertArrayEquals(doubles(golden.get("logits")), logits[logits.length - 1], tolerance);
      long need = MemoryNeed.ofWeights(model.spec(), files, backend);
      assertTrue(backend.memoryUse().liveBytes() <= need * 9 / 8 + 65536, "weights take what was said");
    }
  }

  /** The floats of every packed weight of a folder, scales packed too, to the bit. */
  @Test
  void expandsNf4() {
    try (HfModelFolder folder = HfModelFolder.open(GOLDEN.resolve("nf4"));
        SafeTensors expanded = SafeTensors.open(GOLDEN.resolve("nf4/expanded.safetensors"))) {
      for (String name : expanded.names()) {
        assertEquals(DType.NF4_BF16, folder.dtype(name), name);
        Tensor floats = Tensor.of(expanded.get(name).shape(), new float[(int) expanded.get(name).elements()]);
        floats.copyFrom(folder.tensor(name));
        assertEquals(-1, floats.segment().mismatch(expanded.get(name).segment()), name);
      }
      assertEquals(7, expanded.names().size());
    }
  }

  @Test
  void readsItsTokenizer() {
    try (Session session = Session.open(gguf("llama"), "reference")) {
      Tokenizer tokenizer = session.tokenizer();
      assertEquals(1, tokenizer.bosId());
      assertEquals(2, tokenizer.eosId());
      for (JsonNode text : golden("gguf", "llama").get("texts")) {
        assertArrayEquals(
            ints(text.get("ids")), tokenizer.encode(text.get("text").asString(), true), text.toString());
      }
    }
  }

  /** Llama 2's merges follow from the scores of its pieces, in the order that its tokenizer.json has. */
  @Test
  void makesLlama2Merges() {
    Path file = RealData.require("tok_llama2/tokenizer.json");
    ObjectNode model = (ObjectNode) StrictJson.readObject(file, 64 << 20).get("model");
    String[] pieces = new String[model.get("vocab").size()];
    model.get("vocab").properties().forEach(e -> pieces[e.getValue().intValue()] = e.getKey());
    List<String> expected = new ArrayList<>();
    model.get("merges").forEach(merge -> expected.add(merge.asString()));
    Map<String, Double> scores = new HashMap<>();
    expected.forEach(merge -> scores.putIfAbsent(merge.replaceFirst(" ", ""), -1.0 - scores.size()));
    List<Double> byId = Stream.of(pieces).map(piece -> scores.getOrDefault(piece, 0.0)).toList();
    List<String> merges =
        PieceMerges.of(Arrays.asList(pieces), byId, Set.of(pieces[0], pieces[1], pieces[2])).stream()
            .map(pair -> pair.left() + " " + pair.right())
            .toList();
    assertEquals(new HashSet<>(expected), new HashSet<>(merges));
    assertEquals(
        expected.stream().map(merge -> merge.replaceFirst(" ", "")).toList(),
        merges.stream().map(merge -> merge.replaceFirst(" ", "")).toList());
  }

  /** GPT-2's vocabulary by way of a GGUF file gives the ids of its tokenizer. */
  @Test
  void convertsByteLevelVocabularies() {
    ObjectNode json = StrictJson.readObject(RealData.require("tok_gpt2/encoder.json"), 64 << 20);
    String[] tokens = new String[json.size()];
    json.properties().forEach(e -> tokens[e.getValue().intValue()] = e.getKey());
    List<Object> merges =
        StrictJson.readText(RealData.require("tok_gpt2/vocab.bpe"), 64 << 20).lines().skip(1).filter(line -> !line.isEmpty()).map(line -> (Object) line).toList();
    GgufTokenizer converted =
        GgufTokenizer.of(
            new GgufMetadata(
                Map.of(
                    "tokenizer.ggml.model", "gpt2", "tokenizer.ggml.pre", "gpt-2",
                    "tokenizer.ggml.tokens", List.of((Object[]) tokens), "tokenizer.ggml.merges", merges),
                Place.of(Path.of("gpt2.gguf"))));
    ObjectNode vectors = StrictJson.readObject(RealData.require("ref_tokenizer_vectors/gpt2_gpt-3-encoder.json"), 64 << 20);
    assertTrue(vectors.size() > 0);
    try (HfTokenizer tokenizer =
        HfTokenizer.of(Path.of("gpt2.gguf"), converted.json(), -1, -1, converted.vocabSize(), Map.of())) {
      assertArrayEquals(new int[] {15496, 995, 0}, tokenizer.encode("Hello world!", false));
      assertArrayEquals(new int[] {220, 220, 734, 9029}, tokenizer.encode("   two spaces", false));
    }
  }

  private static Path gguf(String name) {
    return GOLDEN.resolve("gguf").resolve(name + ".gguf");
  }

  private static JsonNode golden(String folder, String name) {
    return StrictJson.readObject(GOLDEN.resolve(folder).resolve("golden.json"), 1 << 20).get(name);
  }

  private static int[] ints(JsonNode list) {
    return list.valueStream().mapToInt(JsonNode::intValue).toArray();
  }

  private static double[] doubles(JsonNode list) {
    return list.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
  }
}
