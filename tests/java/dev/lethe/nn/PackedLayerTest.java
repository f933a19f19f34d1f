package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.RandomBlocks;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.node.ObjectNode;

/**
 * One layer at the full width of Llama 2 7B whose matrices are packed in four bits: losses, gradient and Hessian product
 * are those of the same layer with its weights expanded to floats, to the bit. Opening it asks for each weight once.
 */
final class PackedLayerTest {
  private static final ObjectNode CONFIG =
      (ObjectNode)
          StrictJson.parse(
              """
              {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 1,
               "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 97, "rms_norm_eps": 1e-5}
              """,
              "config.json");

  private static final double DEVIATION = 0.02;
  private static final int SEED = 31;
  private static final int LENGTH = 7;

  private record Result(double[] losses, double[] gradient, double[] product) {}

  @ParameterizedTest
  @EnumSource(names = {"Q4_K", "NF4"})
  void isTheLayerOfItsExpandedWeights(DType format) {
    Result packed = result(new Packed(format, false));
    Result expanded = result(new Packed(format, true));
    assertTrue(Arrays.stream(packed.product).anyMatch(value -> value != 0), "the product is not zero");
    assertArrayEquals(expanded.losses, packed.losses, "losses");
    assertArrayEquals(expanded.gradient, packed.gradient, "gradient");
    assertArrayEquals(expanded.product, packed.product, "Hessian product");
  }

  private static Result result(Packed files) {
    PeftAdapterConfig lora = PeftAdapterConfig.create(4, 8, 0, List.of("q_proj", "v_proj", "down_proj"), "layer");
    try (Backend backend = Backends.select("cpu", new BackendOptions(2));
        LanguageModel model = LanguageModel.open(files, backend, WeightStorage.F32);
        LoraAdapter adapter = LoraAdapter.create(lora, model, SEED);
        Batch batch = Batch.of(List.of(row(model.spec())), backend);
        Scope scope = backend.openScope("layer")) {
      files.asked.forEach((name, times) -> assertTrue(times == 1, name + " was read " + times + " times"));
      fill(adapter.theta(), backend, SEED, 0.02);
      Tensor v = scope.allocate(DType.F32, 1, adapter.layout().size());
      fill(v.row(0), backend, SEED + 1, 1);
      try (Linearization at =
          new Linearization(backend, new AdaptedModel(model, adapter).tape(batch), adapter.theta())) {
        return new Result(
            at.losses(), at.gradient(scope).toDoubles(), at.hvp(v, scope).row(0).toDoubles());
      }
    }
  }

  private static void fill(Tensor to, Backend backend, int seed, double deviation) {
    Random random = new Random(seed);
    double[] values = random.doubles(to.elements(), -deviation, deviation).toArray();
    backend.upload(Tensor.of(to.shape(), values), to);
  }

  private static Sample row(TransformerSpec spec) {
    int[] ids = new Random(SEED).ints(LENGTH, 3, (int) spec.vocabulary()).toArray();
    return new Sample("row", ids, ids, "");
  }

  /** Random weights, made anew each time they are asked for; matrices of linear layers come packed or expanded. */
  private static final class Packed implements ModelFiles {
    private final HfConfig config = HfConfig.parse(CONFIG, "config.json");
    private final Map<String, Shape> shapes = new TreeMap<>(ModelFamily.spec(config, "memory").weights());
    private final Map<String, Integer> asked = new HashMap<>();
    private final DType format;
    private final boolean expanded;

    Packed(DType format, boolean expanded) {
      this.format = format;
      this.expanded = expanded;
    }

    @Override
    public Tensor tensor(String name) {
      asked.merge(name, 1, Integer::sum);
      Shape shape = shape(name);
      Random random = new Random(SEED + name.hashCode());
      if (!name.contains("proj")) {
        double one = name.contains("norm") ? 1 : 0;
        return Tensor.of(shape, random.doubles(shape.elements(), one - DEVIATION, one + DEVIATION).toArray());
      }
      Tensor blocks = RandomBlocks.of(format, shape, DEVIATION, random);
      if (!expanded) {
        return blocks;
      }
      Tensor floats = Tensor.of(shape, new float[Math.toIntExact(shape.elements())]);
      floats.copyFrom(blocks);
      return floats;
    }

    @Override
    public DType dtype(String name) {
      return !name.contains("proj") ? DType.F64 : expanded ? DType.F32 : format;
    }

    @Override
    public Shape shape(String name) {
      return shapes.get(name);
    }

    @Override
    public Set<String> tensorNames() {
      return shapes.keySet();
    }

    @Override
    public Path path() {
      return Path.of("memory");
    }

    @Override
    public HfConfig config() {
      return config;
    }

    @Override
    public ObjectNode configJson() {
      return CONFIG.deepCopy();
    }

    @Override
    public String sha256() {
      return format.name();
    }

    @Override
    public void close() {}
  }
}
