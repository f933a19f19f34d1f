package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/** Models, adapters and rows of any size whose numbers {@code golden/make_sizes.py} and {@code make_whole.py} make too. */
public final class SeededModels {
  static final double SCALE = 0.07;
  static final int ADAPTER_SEED = 1000;
  private static final int ROW_SEED = 3000;

  private SeededModels() {}

  /** Numbers by name; tensor i in the order of the names has the seed {@code seed + i}. */
  static Map<String, Tensor> vector(List<ParameterLayout.Parameter> parameters, int seed, double scale) {
    Map<String, Shape> shapes = new TreeMap<>();
    parameters.forEach(p -> shapes.put(p.name(), p.shape()));
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

  /** The numbers of a row's tokens. */
  public static int[] ids(int row, int length, long vocabulary) {
    return IntStream.range(0, length)
        .map(i -> (int) Long.remainderUnsigned(SplitMix64.bits(ROW_SEED + row, i), vocabulary))
        .toArray();
  }

  /** All tokens but the first three. */
  public static int[] labels(int[] ids) {
    return IntStream.range(0, ids.length).map(i -> i < 3 ? Sample.IGNORED : ids[i]).toArray();
  }

  /** Configuration, two shards in bfloat16 and their index. */
  public static void write(Path dir, ObjectNode config) throws IOException {
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
    IntStream.range(0, bits.length)
        .parallel()
        .forEach(i -> bits[i] = DType.floatToBf16(one + number(seed, i, SCALE)));
    return Tensor.view(MemorySegment.ofArray(bits), DType.BF16, shape);
  }

  private static float number(long seed, long index, double scale) {
    return (float) (scale * (SplitMix64.uniform(seed, index) - 0.5));
  }

  /** Writes an adapter in PEFT's format for a model that {@link #write} wrote. */
  public static void writeAdapter(Path model, Path out, int rank, List<String> targets) {
    try (Backend backend = Backends.select("cpu", new BackendOptions(2));
        HfModelFolder folder = HfModelFolder.open(model);
        LanguageModel opened = LanguageModel.open(folder, backend, WeightStorage.BF16);
        LoraAdapter adapter =
            LoraAdapter.create(PeftAdapterConfig.create(rank, 2 * rank, 0, targets, "seeded"), opened, 0)) {
      ParameterLayout layout = adapter.layout();
      layout.fromHost(backend, vector(layout.parameters(), ADAPTER_SEED, SCALE), adapter.theta(), "adapter");
      adapter.save(out);
    }
  }
}
