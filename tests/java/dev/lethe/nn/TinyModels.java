package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/** Tiny random models, adapters and samples for tests. Equal arguments give equal bytes. */
public final class TinyModels {
  /** All seven linear layers. */
  public static final List<String> ALL_TARGETS =
      List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");

  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final String LLAMA =
      """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rms_norm_eps": 1e-5,
       "rope_theta": 100.0, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2,
       "torch_dtype": "float32"}
      """;

  private TinyModels() {}

  /**
   * The dimensions of a tiny Llama; odd where they can be.
   *
   * @param extraConfig more fields of config.json, or other values, as in {@code
   *     "\"tie_word_embeddings\": true"}; may be empty
   */
  public record Dims(
      int layers,
      int hidden,
      int intermediate,
      int heads,
      int keyHeads,
      int vocabulary,
      int maxPositions,
      String extraConfig) {
    /** Two layers of width 12, six heads on two key heads, 23 tokens, a head of its own. */
    public static final Dims DEFAULT = new Dims(2, 12, 17, 6, 2, 23, 64, "");

    /** The same with other layers. */
    public Dims withLayers(int count) {
      return new Dims(
          count, hidden, intermediate, heads, keyHeads, vocabulary, maxPositions, extraConfig);
    }

    /** The same with another context. */
    public Dims withMaxPositions(int count) {
      return new Dims(
          layers, hidden, intermediate, heads, keyHeads, vocabulary, count, extraConfig);
    }

    /** The same with more fields in config.json. */
    public Dims withConfig(String fields) {
      return new Dims(
          layers, hidden, intermediate, heads, keyHeads, vocabulary, maxPositions, fields);
    }

    private String json() {
      ObjectNode json = (ObjectNode) MAPPER.readTree(LLAMA);
      json.put("hidden_size", hidden);
      json.put("intermediate_size", intermediate);
      json.put("num_hidden_layers", layers);
      json.put("num_attention_heads", heads);
      json.put("num_key_value_heads", keyHeads);
      json.put("vocab_size", vocabulary);
      json.put("max_position_embeddings", maxPositions);
      json.setAll((ObjectNode) MAPPER.readTree("{" + extraConfig + "}"));
      return json.toString();
    }
  }

  /** Writes config.json into the folder, which is made, and returns it. */
  public static Path writeConfig(Path dir, Dims dims) {
    try {
      Files.createDirectories(dir);
      Files.writeString(dir.resolve("config.json"), dims.json());
      return dir;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes a random model as a Hugging Face folder and returns it. */
  public static Path writeFolder(Path dir, Dims dims, long seed) {
    writeConfig(dir, dims);
    SafeTensors.write(dir.resolve("model.safetensors"), weights(dims, seed), Map.of());
    return dir;
  }

  /** The same of a model for rows of text, with a copy of a tokenizer whose whole vocabulary it has. */
  public static Path writeFolder(Path dir, Path tokenizer, long seed) {
    int vocabulary = 1;
    for (var token : StrictJson.read(tokenizer, 1 << 24).path("model").path("vocab")) {
      vocabulary = Math.max(vocabulary, token.intValue() + 1);
    }
    writeFolder(dir, new Dims(1, 12, 17, 6, 2, vocabulary, 256, ""), seed);
    try {
      Files.copy(tokenizer, dir.resolve("tokenizer.json"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return dir;
  }

  /**
   * Random weights of a Llama of these dimensions, by name, F32; large enough to be far from
   * linear.
   */
  public static Map<String, Tensor> weights(Dims dims, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int d = dims.hidden;
    int f = dims.intermediate;
    int keyWidth = d / dims.heads * dims.keyHeads;
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("model.embed_tokens.weight", normal(random, 1, dims.vocabulary, d));
    for (int layer = 0; layer < dims.layers; layer++) {
      String at = "model.layers." + layer + ".";
      weights.put(at + "input_layernorm.weight", aroundOne(random, d));
      weights.put(at + "post_attention_layernorm.weight", aroundOne(random, d));
      weights.put(at + "self_attn.q_proj.weight", normal(random, 0.5, d, d));
      weights.put(at + "self_attn.k_proj.weight", normal(random, 0.5, keyWidth, d));
      weights.put(at + "self_attn.v_proj.weight", normal(random, 0.3, keyWidth, d));
      weights.put(at + "self_attn.o_proj.weight", normal(random, 0.3, d, d));
      weights.put(at + "mlp.gate_proj.weight", normal(random, 0.3, f, d));
      weights.put(at + "mlp.up_proj.weight", normal(random, 0.3, f, d));
      weights.put(at + "mlp.down_proj.weight", normal(random, 0.3, d, f));
    }
    weights.put("model.norm.weight", aroundOne(random, d));
    if (!dims.extraConfig.contains("\"tie_word_embeddings\": true")) {
      weights.put("lm_head.weight", normal(random, 0.5, dims.vocabulary, d));
    }
    return weights;
  }

  /**
   * Writes a random model into the folder and loads it; closing the result closes model and folder.
   */
  public static Tiny open(Path dir, Dims dims, Backend backend, long seed) {
    HfModelFolder folder = HfModelFolder.open(writeFolder(dir, dims, seed));
    return new Tiny(folder, LanguageModel.open(folder, backend));
  }

  /** An adapter with random A and B, as after some training. */
  public static LoraAdapter adapter(
      LanguageModel model, int rank, double alpha, List<String> targets, long seed) {
    return adapter(PeftAdapterConfig.create(rank, alpha, 0, targets, "tiny"), model, seed);
  }

  /** An adapter with random A and B, as after some training. */
  public static LoraAdapter adapter(PeftAdapterConfig config, LanguageModel model, long seed) {
    LoraAdapter adapter = LoraAdapter.create(config, model, seed);
    randomize(model.backend(), adapter.theta(), 0.3, seed);
    return adapter;
  }

  /** Fills a tensor of a backend with normal numbers of a deviation, rounded to float. */
  public static void randomize(Backend backend, Tensor tensor, double deviation, long seed) {
    Tensor host = normal(new SplittableRandom(seed), deviation, tensor.shape().toArray());
    backend.upload(host, tensor);
  }

  /**
   * Samples of random tokens, of lengths from shortest to longest; the first third is not
   * supervised.
   */
  public static List<Sample> samples(
      int count, int vocabulary, int shortest, int longest, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] ids = random.ints(random.nextInt(shortest, longest + 1), 0, vocabulary).toArray();
      int[] labels = ids.clone();
      Arrays.fill(labels, 0, ids.length / 3, Sample.IGNORED);
      samples.add(new Sample(Integer.toString(i), ids, labels, "hash-" + seed + "-" + i));
    }
    return samples;
  }

  private static Tensor normal(SplittableRandom random, double deviation, long... dims) {
    Shape shape = Shape.of(dims);
    float[] values = new float[Math.toIntExact(shape.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return Tensor.of(shape, values);
  }

  private static Tensor aroundOne(SplittableRandom random, long size) {
    float[] values = new float[Math.toIntExact(size)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(0.5, 1.5);
    }
    return Tensor.of(Shape.of(size), values);
  }

  /** A model and the folder that it reads from. */
  public record Tiny(HfModelFolder folder, LanguageModel model) implements AutoCloseable {
    @Override
    public void close() {
      model.close();
      folder.close();
    }
  }
}
