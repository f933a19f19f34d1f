package dev.lethe.cli.demo;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A Llama of two layers that Lethe makes itself: random weights, and on all linear layers pairs of full
 * rank, which are trained and then run as part of the weights.
 */
final class TinyModel implements AutoCloseable {
  static final List<String> LINEARS =
      List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");
  private static final int HIDDEN = 32;
  private static final int FEED_FORWARD = 64;
  private static final int LAYERS = 2;
  private static final int HEADS = 4;

  private final HfModelFolder folder;
  private final LanguageModel random;
  private final LoraAdapter pairs;
  private final LanguageModel merged;

  private TinyModel(
      HfModelFolder folder, LanguageModel random, LoraAdapter pairs, LanguageModel merged) {
    this.folder = folder;
    this.random = random;
    this.pairs = pairs;
    this.merged = merged;
  }

  /** Makes and trains one; its random part lies in the given folder. */
  static TinyModel train(
      Path dir, TinyWorld world, Backend backend, int steps, TrainMonitor listener) {
    write(dir, world);
    HfModelFolder folder = HfModelFolder.open(dir);
    LanguageModel random = LanguageModel.open(folder, backend);
    PeftAdapterConfig full = PeftAdapterConfig.create(HIDDEN, HIDDEN, 0, LINEARS, "random");
    LoraAdapter pairs = LoraAdapter.create(full, random, 1);
    TrainOptions options =
        TrainOptions.builder()
            .learningRate(2e-3)
            .schedule(Schedule.COSINE)
            .warmupSteps(10)
            .maxSteps(steps)
            .batchSize(48)
            .seed(1)
            .build();
    List<Sample> rows = world.baseRows();
    new Trainer(new AdaptedModel(random, pairs), rows, options, listener).run(null, false);
    LanguageModel merged = LanguageModel.openMerged(folder, backend, pairs);
    return new TinyModel(folder, random, pairs, merged);
  }

  /** The trained model. */
  LanguageModel model() {
    return merged;
  }

  private static void write(Path dir, TinyWorld world) {
    ObjectNode config = config(world);
    AtomicFiles.writeText(dir.resolve("config.json"), StrictJson.write(config));
    Random random = new Random(1);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (Map.Entry<String, Shape> weight :
        ModelFamily.spec(HfConfig.parse(config, "demo"), "demo").weights().entrySet()) {
      tensors.put(weight.getKey(), weight(weight.getKey(), weight.getValue(), random));
    }
    SafeTensors.write(dir.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
  }

  /** Norms are one; everything else is normal, with outputs as large as inputs. */
  private static Tensor weight(String name, Shape shape, Random random) {
    float[] values = new float[Math.toIntExact(shape.elements())];
    double deviation = name.contains("embed") ? 1 : 1 / Math.sqrt(shape.dim(-1));
    for (int i = 0; i < values.length; i++) {
      values[i] = shape.rank() == 1 ? norm(name) : (float) (deviation * random.nextGaussian());
    }
    return Tensor.of(shape, values);
  }

  /** The last norm is larger, so that the frozen head can be sure of a word. */
  private static float norm(String name) {
    return name.equals("model.norm.weight") ? 2 : 1;
  }

  private static ObjectNode config(TinyWorld world) {
    ObjectNode json = StrictJson.newObject();
    ArrayNode architectures = json.putArray("architectures");
    architectures.add("LlamaForCausalLM");
    return json.put("model_type", "llama")
        .put("hidden_size", HIDDEN)
        .put("num_hidden_layers", LAYERS)
        .put("num_attention_heads", HEADS)
        .put("num_key_value_heads", HEADS / 2)
        .put("intermediate_size", FEED_FORWARD)
        .put("vocab_size", world.vocabulary().size())
        .put("max_position_embeddings", 64)
        .put("bos_token_id", world.beginId())
        .put("eos_token_id", world.endId())
        .put("tie_word_embeddings", false);
  }

  @Override
  public void close() {
    merged.close();
    pairs.close();
    random.close();
    folder.close();
  }
}
