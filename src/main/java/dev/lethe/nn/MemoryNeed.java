package dev.lethe.nn;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.nn.family.WeightNames;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostMemory;
import dev.lethe.tensor.Shape;
import java.util.Map;
import java.util.function.Function;

/** What a model's weights take on a backend, and whether this machine has it. */
public final class MemoryNeed {
  /** Tokens of a text that a model must have room for to be of use. */
  private static final long SHORT_TEXT = 256;

  private MemoryNeed() {}

  /** Bytes of the frozen weights of a model whose files are not there yet, all of them in float32. */
  public static long ofWeights(TransformerSpec spec, Backend backend) {
    return ofWeights(spec, backend, name -> DType.F32);
  }

  /** The same of a model's files; what stays packed in blocks counts as that. */
  public static long ofWeights(TransformerSpec spec, ModelFiles files, Backend backend) {
    return ofWeights(spec, backend, name -> files.has(name) ? files.dtype(name) : DType.F32);
  }

  /** Rows of the embedding are read from the model's file. */
  private static long ofWeights(TransformerSpec spec, Backend backend, Function<String, DType> stored) {
    WeightNames names = spec.family().names();
    String table = names.embedding() + ".weight";
    String head = spec.tiedEmbeddings() ? table : names.head() + ".weight";
    long bytes = 0;
    for (Map.Entry<String, Shape> weight : spec.weights().entrySet()) {
      Shape shape = weight.getValue();
      if (shape.rank() == 1) {
        bytes += backend.activationType().bytes() * shape.elements();
      } else if (!weight.getKey().equals(table) || head.equals(table)) {
        bytes += backend.weightBytes(stored.apply(weight.getKey()), shape);
      }
    }
    return bytes;
  }

  /** Bytes below which a model is no use: its weights and a pass over a short text. */
  static long toWorkWith(TransformerSpec spec, ModelFiles files, Backend backend) {
    return ofWeights(spec, files, backend) + ofPass(spec, backend, SHORT_TEXT);
  }

  /**
   * About how many bytes one pass over a batch keeps for a second one, counted from the shapes.
   *
   * @param tokens in the batch
   */
  public static long ofPass(TransformerSpec spec, Backend backend, long tokens) {
    long layer =
        4 * spec.hidden()
            + 3 * (spec.queryWidth() + spec.keyWidth())
            + 3 * spec.intermediate();
    return tokens
        * backend.activationType().bytes()
        * (spec.layers() * layer + spec.vocabulary());
  }

  /** Throws where so many bytes of weights would not fit into the memory that this process may take. */
  static void require(long need, Backend backend, String where) {
    if (fits(need, backend)) {
      return;
    }
    HostMemory memory = HostMemory.now();
    throw new EnvironmentException(
        where,
        Text.format(
            "the weights need %,d MiB in %s, and %s leaves %,d MiB",
            need >> 20, backend.productType(), memory.reason(), memory.room() >> 20),
        "Close other programs, raise the limit, or use a smaller model, --weights bf16 or a machine with more memory.");
  }

  /** Whether a device in the machine's own memory has room for so many bytes; others are not asked. */
  static boolean fits(long need, Backend backend) {
    return backend.freeMemory().isPresent() || need <= HostMemory.now().room();
  }
}
