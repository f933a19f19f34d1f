package dev.lethe.nn;

import com.sun.management.OperatingSystemMXBean;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Shape;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a model's weights take on a backend, and whether this machine has it. */
public final class MemoryNeed {
  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d+) kB");

  private MemoryNeed() {}

  /**
   * Bytes of the frozen weights in the backend's format of products. Linear layers count twice,
   * because a backend may keep them in two layouts, one for each direction; the embedding's own
   * rows are read from the model's file.
   */
  public static long ofWeights(TransformerSpec spec, Backend backend) {
    long elements = 2 * spec.vocabulary() * spec.hidden();
    for (Shape shape : spec.weights().values()) {
      boolean embedding = shape.dim(0) == spec.vocabulary() && shape.rank() == 2;
      elements += embedding ? 0 : shape.rank() * shape.elements();
    }
    return Math.multiplyExact(elements, backend.productType().bytes());
  }

  /** The same of weights some of which stay packed in blocks, which is once for both directions. */
  public static long ofWeights(TransformerSpec spec, ModelFiles files, Backend backend) {
    if (!backend.keepsPacked()) {
      return ofWeights(spec, backend);
    }
    WeightNames names = spec.family().names();
    String table = names.embedding() + ".weight";
    String head = spec.tiedEmbeddings() ? table : names.head() + ".weight";
    long floats = backend.productType().bytes();
    long bytes = 0;
    for (Map.Entry<String, Shape> weight : spec.weights().entrySet()) {
      Shape shape = weight.getValue();
      if (weight.getKey().equals(table) && !head.equals(table)) {
        continue;
      }
      DType stored = files.has(weight.getKey()) ? files.dtype(weight.getKey()) : DType.F32;
      long copies = shape.rank() == 1 ? 1 : 2;
      bytes += stored.isBlocks() ? stored.byteSize(shape.elements()) : copies * floats * shape.elements();
    }
    return bytes;
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

  /** Throws where so many bytes of weights would not fit into the memory that the system has left. */
  static void require(long need, Backend backend, String where) {
    if (!(backend.allocator() instanceof HostAllocator)) {
      return;
    }
    long available = available();
    if (need > available) {
      throw new EnvironmentException(
          where,
          Text.format(
              "the weights need %,d MiB in %s and the system has %,d MiB left",
              need >> 20, backend.productType(), available >> 20),
          "Close other programs, use a smaller model or a machine with more memory.");
    }
  }

  private static long available() {
    OperatingSystemMXBean system =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    try {
      Matcher match = AVAILABLE.matcher(Files.readString(MEMINFO));
      if (match.find()) {
        return Math.min(system.getTotalMemorySize(), Long.parseLong(match.group(1)) << 10);
      }
    } catch (IOException e) {
      return system.getFreeMemorySize();
    }
    return system.getFreeMemorySize();
  }
}
