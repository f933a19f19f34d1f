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
  private static final int VECTOR_SEED = 2000;
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
    SeededModels.write(dir, (ObjectNode) golden.get("config"));
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
      layout.fromHost(backend, SeededModels.vector(layout.parameters(), SeededModels.ADAPTER_SEED, SeededModels.SCALE), adapter.theta(), "adapter");
      DatasetLoss loss =
          new DatasetLoss(new AdaptedModel(model, adapter), rows(model.spec()), BatchLimits.DEFAULT);
      Tensor gradient = scope.allocate(DType.F32, layout.size());
      backend.vectors().fill(gradient, 0);
      double[] losses = loss.addGradient(adapter.theta(), 1.0 / ROWS, gradient);
      Tensor v = scope.allocate(DType.F32, 1, layout.size());
      layout.fromHost(backend, SeededModels.vector(layout.parameters(), VECTOR_SEED, 1), v.row(0), "vector");
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

  private static List<Sample> rows(TransformerSpec spec) {
    List<Sample> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      int[] ids = SeededModels.ids(row, LENGTH, spec.vocabulary());
      rows.add(new Sample("row " + row, ids, SeededModels.labels(ids), ""));
    }
    return rows;
  }
}
