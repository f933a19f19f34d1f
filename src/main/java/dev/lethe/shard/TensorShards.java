package dev.lethe.shard;

import dev.lethe.Text;
import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.curvature.sum.SumNode;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Shards of sums and of rows: safetensors files. */
public final class TensorShards {
  /** The field of a sum's origin that holds the number of its terms. */
  public static final String BLOCKS = "blocks";

  /** A term that is added to the whole sum, last. */
  private static final String LAST = "last";

  private TensorShards() {}

  /**
   * Writes the nodes of a sum that a shard made.
   *
   * @param parts of vectors in parameter space
   * @param last what is added to the whole sum, in the shard that says so; null in the others
   */
  public static void writeSums(
      Path file, ShardHeader header, ParameterLayout layout, List<PartialSum> parts, Tensor last) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (PartialSum part : parts) {
      put(part.node().label(), part.sum(), layout, tensors);
    }
    if (last != null) {
      put(LAST, last, layout, tensors);
    }
    SafeTensors.write(file, tensors, header.toMap());
  }

  private static void put(
      String label, Tensor vector, ParameterLayout layout, Map<String, Tensor> tensors) {
    Tensor flat = vector.reshape(vector.elements());
    for (Parameter p : layout.parameters()) {
      tensors.put(label + "/" + p.name(), flat.section(p.offset(), p.shape()));
    }
  }

  /** Writes what a shard has of each of its rows: tensors (n,…), none where it has no row. */
  public static void writeRows(Path file, ShardHeader header, Map<String, Tensor> rows) {
    SafeTensors.write(file, rows, header.toMap());
  }

  /** Adds the nodes of all shards. */
  static void mergeSums(List<SafeTensors> shards, ShardHeader header, Path out) {
    Map<String, List<PartialSum>> parts = new TreeMap<>();
    Map<String, Tensor> last = new HashMap<>();
    for (SafeTensors shard : shards) {
      for (String name : shard.names()) {
        String label = name.substring(0, Math.max(0, name.indexOf('/')));
        String of = name.substring(label.length() + 1);
        if (label.equals(LAST)) {
          last.put(of, shard.get(name));
        } else {
          SumNode node = SumNode.of(label);
          if (node == null) {
            throw ShardHeader.noShard(shard.path(), "a tensor '" + name + "'");
          }
          parts.computeIfAbsent(of, each -> new ArrayList<>()).add(new PartialSum(node, shard.get(name)));
        }
      }
    }
    int blocks = header.number(BLOCKS, out);
    Map<String, Tensor> sums = new LinkedHashMap<>();
    parts.forEach((name, nodes) -> sums.put(name, total(name, nodes, blocks, last.get(name), out)));
    SafeTensors.write(out, sums, header.result());
  }

  private static Tensor total(String name, List<PartialSum> nodes, int blocks, Tensor last, Path out) {
    nodes.sort(Comparator.comparingInt(part -> part.node().first()));
    int end = 0;
    for (PartialSum part : nodes) {
      end = part.node().first() == end ? part.node().end() : -1;
    }
    if (end != blocks) {
      throw new FormatException(
        Kind.SIZE_MISMATCH, out.toString(), "the shards do not hold each block of the sum once",
          Text.format("blocks 0 to %d of '%s'", blocks - 1, name),
          nodes.stream().map(part -> part.node().label()).toList().toString(),
          "Make the shards again");
    }
    Tensor total = PartialSum.total(nodes);
    return last == null ? total : PartialSum.sum(total, last);
  }

  /** Stacks the rows of all shards. */
  static void mergeRows(List<SafeTensors> shards, ShardHeader header, Path out) {
    Map<String, List<Tensor>> parts = new TreeMap<>();
    for (SafeTensors shard : shards) {
      for (String name : shard.names()) {
        parts.computeIfAbsent(name, each -> new ArrayList<>()).add(shard.get(name));
      }
    }
    long rows = header.number("rows", out);
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("rows of shards", memory)) {
      Map<String, Tensor> all = new LinkedHashMap<>();
      parts.forEach((name, each) -> all.put(name, stacked(name, each, rows, host, out)));
      SafeTensors.write(out, all, header.result());
    }
  }

  private static Tensor stacked(String name, List<Tensor> parts, long rows, Scope host, Path out) {
    long there = parts.stream().mapToLong(part -> part.dim(0)).sum();
    if (there != rows) {
      throw new FormatException(
        Kind.SIZE_MISMATCH, out.toString(), "the shards do not hold all rows", rows + " rows of '" + name + "'",
          there + " rows", "Make the shards again");
    }
    long[] dims = parts.getFirst().shape().toArray();
    dims[0] = rows;
    Tensor all = host.allocate(parts.getFirst().dtype(), Shape.of(dims));
    long at = 0;
    for (Tensor part : parts) {
      all.slice(at, part.dim(0)).copyFrom(part);
      at += part.dim(0);
    }
    return all;
  }
}
