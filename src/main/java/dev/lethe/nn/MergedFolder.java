package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model with an adapter's s·BA added to its weights, as a Hugging Face folder. Sums are float64 and rounded once.
 * Weights are written a shard at a time, so that memory holds one shard.
 */
public final class MergedFolder {
  private static final long SHARD_BYTES = 1L << 30;
  private static final String SINGLE = "model.safetensors";
  private static final List<String> COPIED =
      List.of(
          "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
          "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja",
          "generation_config.json");
  private static final Map<DType, String> TORCH =
      Map.of(
          DType.F64, "float64", DType.F32, "float32", DType.F16, "float16", DType.BF16, "bfloat16");

  private final ModelFiles base;
  private final TransformerSpec spec;
  private final LoraAdapter adapter;
  private final DType asked;

  /**
   * @param adapter of a model of these files
   * @param dtype of all weights; null: each as in the base, and float32 for weights that are packed there
   */
  public MergedFolder(ModelFiles base, LoraAdapter adapter, DType dtype) {
    this.base = base;
    this.spec = adapter.model().spec();
    this.adapter = adapter;
    this.asked = dtype;
    if (dtype != null && !TORCH.containsKey(dtype)) {
      throw new ArgumentException("a model in " + dtype);
    }
  }

  /**
   * Writes configuration, weights and the tokenizer's files into a folder that is there.
   *
   * @param tokenizer the tokenizer's files where the base is none of files; empty: they are copied
   */
  public void writeInto(Path folder, Map<String, String> tokenizer) {
    List<List<String>> shards = shards();
    ObjectNode index = StrictJson.newObject();
    ObjectNode places = StrictJson.newObject();
    long bytes = 0;
    for (int i = 0; i < shards.size(); i++) {
      String file =
          shards.size() == 1
              ? SINGLE
              : Text.format("model-%05d-of-%05d.safetensors", i + 1, shards.size());
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : shards.get(i)) {
        tensors.put(name, merged(name));
        places.put(name, file);
        bytes += tensors.get(name).byteSize();
      }
      SafeTensors.write(folder.resolve(file), tensors, Map.of("format", "pt"));
    }
    if (shards.size() > 1) {
      index.putObject("metadata").put("total_size", bytes);
      index.set("weight_map", places);
      AtomicFiles.writeText(folder.resolve(SINGLE + ".index.json"), StrictJson.write(index));
    }
    AtomicFiles.writeText(folder.resolve("config.json"), StrictJson.write(config()));
    tokenizer.forEach((name, text) -> AtomicFiles.writeText(folder.resolve(name), text));
    if (tokenizer.isEmpty()) {
      copyFiles(folder);
    }
  }

  /** The format of all linear layers. */
  public DType dtype() {
    return dtype(spec.module(0, Projection.QUERY) + ".weight");
  }

  private DType dtype(String name) {
    if (asked != null) {
      return asked;
    }
    DType own = base.dtype(name);
    return own.isBlocks() ? DType.F32 : own;
  }

  private List<List<String>> shards() {
    List<List<String>> shards = new ArrayList<>();
    long room = 0;
    for (Map.Entry<String, Shape> weight : spec.weights().entrySet()) {
      long bytes = dtype(weight.getKey()).byteSize(weight.getValue().elements());
      if (shards.isEmpty() || bytes > room) {
        shards.add(new ArrayList<>());
        room = SHARD_BYTES;
      }
      shards.getLast().add(weight.getKey());
      room -= bytes;
    }
    return shards;
  }

  private Tensor merged(String name) {
    Tensor own = base.tensor(name);
    String module = name.endsWith(".weight") ? name.substring(0, name.length() - ".weight".length()) : name;
    boolean changed = own.shape().rank() == 2 && adapter.layout().slot(module) != null;
    if (!changed && own.dtype() == dtype(name)) {
      return own;
    }
    Tensor result = onHeap(dtype(name), own.shape());
    if (!changed) {
      result.copyFrom(own);
      return result;
    }
    Tensor sum = onHeap(DType.F64, own.shape());
    sum.copyFrom(own);
    adapter.addDeltaWeight(module, sum);
    result.copyFrom(sum);
    requireFinite(name, result);
    return result;
  }

  private static void requireFinite(String name, Tensor weight) {
    try {
      FiniteCheck.require("merged tensor '" + name + "'", weight);
    } catch (FormatException e) {
      throw new LetheException(
          "merged tensor '" + name + "'",
          "it leaves the format of the weights",
          "numbers of " + weight.dtype(),
          "infinity",
          "Merge into float32 with --dtype f32",
          e);
    }
  }

  private static Tensor onHeap(DType dtype, Shape shape) {
    int bytes = Math.toIntExact(dtype.byteSize(shape.elements()));
    return Tensor.view(MemorySegment.ofArray(new byte[bytes]), dtype, shape);
  }

  private ObjectNode config() {
    ObjectNode config = base.configJson();
    config.remove("quantization_config");
    config.remove("torch_dtype");
    config.put("dtype", TORCH.get(dtype()));
    if (!config.has("architectures")) {
      config.putArray("architectures").add(spec.family().architecture());
    }
    return config;
  }

  private void copyFiles(Path folder) {
    for (String file : COPIED) {
      Path source = base.path().resolve(file);
      try {
        if (Files.isRegularFile(source)) {
          Files.copy(source, folder.resolve(file));
        }
      } catch (IOException e) {
        throw new FormatException(
            Kind.WRITE_FAILED, source.toString(), "it cannot be copied", "a readable file", e.getMessage(),
            Kind.WRITE_FAILED.remedy(), e);
      }
    }
  }
}
