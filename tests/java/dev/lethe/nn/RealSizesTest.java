package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * One layer at the full width of known models, in shards of bfloat16, against PyTorch in float64 ({@code
 * golden/make_sizes.py}, whose weights are made here again); weights that stay in their file give the same bytes.
 */
final class RealSizesTest {
  private static final Path GOLDEN = Path.of("tests/resources/golden/sizes.json");
  private static final double SCALE = 0.07;
  private static final int ADAPTER_SEED = 1000;
  private static final int VECTOR_SEED = 2000;
  private static final int ROW_SEED = 3000;
  private static final int ROWS = 2;
  private static final int LENGTH = 12;
  private static final int RANK = 8;
  private static final List<String> TARGETS = List.of("q_proj", "v_proj", "down_proj");

  /** A part of one tensor's norm. */
  private static final double TOLERANCE = 2e-5;

  @TempDir Path dir;

  private record Result(double[] losses, double[] gradient, double[] product) {}

  @ParameterizedTest
  @ValueSource(strings = {"qwen2.5-0.5b", "qwen3-0.6b", "llama-3.2-1b"})
  void givesTheNumbersOfPyTorch(String name) throws IOException {
    JsonNode golden = new ObjectMapper().readTree(GOLDEN).get(name);
    writeModel((ObjectNode) golden.get("config"));
    Result floats = result(WeightStorage.F32, golden);
    Result left = result(WeightStorage.BF16, null);
    assertArrayEquals(floats.losses, left.losses, 0);
    assertArrayEquals(floats.gradient, left.gradient, 0);
    assertArrayEquals(floats.product, left.product, 0);
  }

  private Result result(WeightStorage storage, JsonNode golden) {
    try (Backend backend = Backends.select("cpu", new BackendOptions(2));
        HfModelFolder folder = HfModelFolder.open(dir);
        LanguageModel model = LanguageModel.open(folder, backend, storage);
        LoraAdapter adapter =
            LoraAdapter.create(PeftAdapterConfig.create(RANK, 2 * RANK, 0, TARGETS, "sizes"), model, 0);
        Scope scope = backend.openScope("sizes")) {
      ParameterLayout layout = adapter.layout();
      layout.fromHost(backend, vector(layout, ADAPTER_SEED, SCALE), adapter.theta(), "adapter");
      DatasetLoss loss =
          new DatasetLoss(new AdaptedModel(model, adapter), rows(model.spec()), BatchLimits.DEFAULT);
      Tensor gradient = scope.allocate(DType.F32, layout.size());
      backend.vectors().fill(gradient, 0);
      double[] losses = loss.addGradient(adapter.theta(), 1.0 / ROWS, gradient);
      Tensor v = scope.allocate(DType.F32, 1, layout.size());
      layout.fromHost(backend, vector(layout, VECTOR_SEED, 1), v.row(0), "vector");
      Tensor product = scope.allocate(DType.F32, 1, layout.size());
      try (CurvatureOperator hessian =
          Curvature.HESSIAN.over(loss, adapter.theta(), ROWS, MemoryBudget.NONE, 0)) {
        hessian.apply(v, product);
      }
      if (golden != null) {
        for (int i = 0; i < ROWS; i++) {
          assertEquals(golden.get("losses").get(i).asDouble(), losses[i], 1e-5, "loss of row " + i);
        }
        compare(golden.get("gradient"), layout.toHost(backend, gradient));
        compare(golden.get("hvp"), layout.toHost(backend, product.row(0)));
      }
      return new Result(losses, gradient.toDoubles(), product.toDoubles());
    }
  }

  private static void compare(JsonNode golden, Map<String, Tensor> found) {
    assertEquals(golden.size(), found.size());
    found.forEach(
        (name, tensor) -> {
          JsonNode expected = golden.get(name);
          double norm = expected.get("norm").asDouble();
          double sum = 0;
          for (double x : tensor.toDoubles()) {
            sum += x * x;
          }
          assertEquals(norm, Math.sqrt(sum), TOLERANCE * norm, "norm of " + name);
          for (int i = 0; i < expected.get("places").size(); i++) {
            int place = expected.get("places").get(i).asInt();
            assertEquals(
                expected.get("numbers").get(i).asDouble(), tensor.get(place), TOLERANCE * norm, name + " at " + place);
          }
        });
  }

  /** By name, in the order of the names, as the script numbers its seeds. */
  private static Map<String, Tensor> vector(ParameterLayout layout, int seed, double scale) {
    Map<String, Shape> shapes = new TreeMap<>();
    layout.parameters().forEach(p -> shapes.put(p.name(), p.shape()));
    Map<String, Tensor> named = new LinkedHashMap<>();
    shapes.forEach(
        (name, shape) -> {
          float[] numbers = new float[(int) shape.elements()];
          for (int i = 0; i < numbers.length; i++) {
            numbers[i] = number(seed + named.size(), i, scale);
          }
          named.put(name, Tensor.of(shape, numbers));
        });
    return named;
  }

  private static List<Sample> rows(TransformerSpec spec) {
    List<Sample> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      int[] ids = new int[LENGTH];
      int[] labels = new int[LENGTH];
      for (int i = 0; i < LENGTH; i++) {
        ids[i] = (int) Long.remainderUnsigned(SplitMix64.bits(ROW_SEED + row, i), spec.vocabulary());
        labels[i] = i < 3 ? Sample.IGNORED : ids[i];
      }
      rows.add(new Sample("row " + row, ids, labels, ""));
    }
    return rows;
  }

  private static float number(long seed, long index, double scale) {
    return (float) (scale * (SplitMix64.uniform(seed, index) - 0.5));
  }

  /** Two shards and their index. */
  private void writeModel(ObjectNode config) throws IOException {
    Files.writeString(dir.resolve("config.json"), config.toString());
    TransformerSpec spec = ModelFamily.spec(HfConfig.parse(config, "config.json"), "config.json");
    ObjectNode index = new ObjectMapper().createObjectNode();
    ObjectNode homes = index.putObject("weight_map");
    List<Map<String, Tensor>> shards = List.of(new LinkedHashMap<>(), new LinkedHashMap<>());
    int seed = 0;
    for (Map.Entry<String, Shape> weight : new TreeMap<>(spec.weights()).entrySet()) {
      int shard = seed % shards.size();
      shards.get(shard).put(weight.getKey(), weight(weight.getKey(), weight.getValue(), seed++));
      homes.put(weight.getKey(), file(shard));
    }
    for (int shard = 0; shard < shards.size(); shard++) {
      SafeTensors.write(dir.resolve(file(shard)), shards.get(shard), Map.of());
    }
    Files.writeString(dir.resolve("model.safetensors.index.json"), index.toString());
  }

  private static String file(int shard) {
    return "model-%05d-of-00002.safetensors".formatted(shard + 1);
  }

  private static Tensor weight(String name, Shape shape, int seed) {
    float one = name.contains("norm") ? 1 : 0;
    short[] bits = new short[(int) shape.elements()];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = DType.floatToBf16(one + number(seed, i, SCALE));
    }
    return Tensor.view(MemorySegment.ofArray(bits), DType.BF16, shape);
  }
}
