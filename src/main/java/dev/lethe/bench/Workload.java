package dev.lethe.bench;

import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import tools.jackson.databind.node.ObjectNode;

/**
 * A benchmark's model and batch: the shapes of the PyTorch peer's workloads of the same name, with random
 * weights.
 *
 * @param targets the linear layers with a pair
 * @param batch samples
 * @param seq tokens of each
 */
public record Workload(
    String name,
    int hidden,
    int layers,
    int heads,
    int keyHeads,
    int feedForward,
    int vocabulary,
    int rank,
    int alpha,
    List<String> targets,
    int batch,
    int seq) {
  private static final double DEVIATION = 0.02;
  private static final DType WEIGHTS = DType.BF16;

  /** A prime, so that no two rows of a weight are equal. */
  private static final int BLOCK = 1_048_583;

  private static final List<String> QV = List.of("q_proj", "v_proj");
  private static final List<String> ALL =
      List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");

  /** Those of the peer. */
  public static final List<Workload> KNOWN =
      List.of(
          new Workload("micro", 64, 2, 4, 2, 176, 512, 4, 8, ALL, 4, 32),
          new Workload("stories15m", 288, 6, 6, 6, 768, 32000, 8, 16, QV, 8, 256),
          new Workload("llama1b", 2048, 16, 32, 8, 8192, 128256, 16, 32, ALL, 8, 1024),
          new Workload("llama7b", 4096, 32, 32, 32, 11008, 32000, 8, 16, QV, 4, 512));

  /** The same with another batch and another number of layers. */
  public Workload sized(int samples, int tokens, int depth) {
    return new Workload(
        name, hidden, depth, heads, keyHeads, feedForward, vocabulary, rank, alpha, targets,
        samples, tokens);
  }

  /** The adapter, before it has values. */
  public PeftAdapterConfig adapterConfig() {
    return PeftAdapterConfig.create(rank, alpha, 0, targets, name);
  }

  /** The model's dimensions. */
  public TransformerSpec spec() {
    return ModelFamily.spec(HfConfig.parse(config(), name), name);
  }

  /** Bytes of the folder that {@link #write} makes. */
  public long bytes() {
    return spec().parameters() * WEIGHTS.bytes();
  }

  /**
   * Writes a Hugging Face folder of random bfloat16 weights, normal with deviation 0.02: a block of them again and
   * again, at another place in each tensor, because drawing 1.5 billion takes a minute.
   */
  public void write(Path dir, long seed) {
    AtomicFiles.writeText(dir.resolve("config.json"), StrictJson.write(config()));
    Random random = new Random(seed);
    try (HostAllocator memory = new HostAllocator();
        Scope scope = Scope.open("random weights", memory)) {
      Tensor block = scope.allocate(WEIGHTS, BLOCK);
      for (long i = 0; i < BLOCK; i++) {
        block.set(i, DEVIATION * random.nextGaussian());
      }
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (Map.Entry<String, Shape> weight : spec().weights().entrySet()) {
        Tensor tensor = scope.allocate(WEIGHTS, weight.getValue());
        if (tensor.shape().rank() == 1) {
          for (long i = 0; i < tensor.elements(); i++) {
            tensor.set(i, 1);
          }
        } else {
          repeat(block, random.nextInt(BLOCK), tensor);
        }
        tensors.put(weight.getKey(), tensor);
      }
      SafeTensors.write(dir.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
    }
  }

  /** Fills the target with the block's numbers from one on, and from its beginning on after its end. */
  private static void repeat(Tensor block, int from, Tensor target) {
    Tensor flat = target.reshape(target.elements());
    long at = 0;
    for (long begin = from; at < flat.elements(); begin = 0) {
      long count = Math.min(BLOCK - begin, flat.elements() - at);
      flat.slice(at, count).segment().copyFrom(block.slice(begin, count).segment());
      at += count;
    }
  }

  private ObjectNode config() {
    ObjectNode json = StrictJson.newObject();
    json.putArray("architectures").add("LlamaForCausalLM");
    return json.put("model_type", "llama")
        .put("hidden_size", hidden)
        .put("num_hidden_layers", layers)
        .put("num_attention_heads", heads)
        .put("num_key_value_heads", keyHeads)
        .put("intermediate_size", feedForward)
        .put("vocab_size", vocabulary)
        .put("max_position_embeddings", Math.max(2048, seq))
        .put("tie_word_embeddings", false);
  }
}
