package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.nn.family.WeightNames;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Where each adapter matrix lies in the flat parameter vector θ (P): layer by layer, in the order
 * of {@link Projection}, A (rank,in) before B (out,rank), without gaps. Names are PEFT's.
 */
public final class ParameterLayout {
  private final List<Parameter> parameters = new ArrayList<>();
  private final List<Map<Projection, LoraSlot>> slots = new ArrayList<>();
  private final Map<String, LoraSlot> byModule = new LinkedHashMap<>();
  private long size;

  private ParameterLayout() {}

  /** The layout of no adapter at all. */
  static ParameterLayout empty(TransformerSpec spec) {
    ParameterLayout layout = new ParameterLayout();
    for (int layer = 0; layer < spec.layers(); layer++) {
      layout.slots.add(Map.of());
    }
    return layout;
  }

  /**
   * The layout of an adapter on a model.
   *
   * @throws LetheException where the adapter targets none of the model's linear layers
   */
  static ParameterLayout of(PeftAdapterConfig config, TransformerSpec spec) {
    ParameterLayout layout = new ParameterLayout();
    for (int layer = 0; layer < spec.layers(); layer++) {
      Map<Projection, LoraSlot> row = new EnumMap<>(Projection.class);
      for (Projection p : spec.projections()) {
        String module = spec.module(layer, p);
        if (config.targets(module)) {
          row.put(p, layout.add(module, spec.in(p), spec.out(p), config));
        }
      }
      layout.slots.add(row);
    }
    if (layout.size == 0) {
      throw new LetheException(
          "target_modules",
          "selects no linear layer of this model",
          "modules such as " + spec.module(0, Projection.OUTPUT),
          config.targetModules().inWords(),
          "Name modules of this model, or use the adapter's own base model.");
    }
    return layout;
  }

  private LoraSlot add(String module, long in, long out, PeftAdapterConfig config) {
    long rank = config.rankOf(module);
    String key = PeftFolder.PREFIX + module;
    LoraSlot slot = new LoraSlot(in, out, rank, config.scaleOf(module), size, size + rank * in);
    parameters.add(new Parameter(key + PeftFolder.LORA_A, Shape.of(rank, in), slot.aOffset()));
    parameters.add(new Parameter(key + PeftFolder.LORA_B, Shape.of(out, rank), slot.bOffset()));
    byModule.put(module, slot);
    size += slot.parameters();
    return slot;
  }

  /** All matrices in the order of the vector. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  /** Length of the vector, P. */
  public long size() {
    return size;
  }

  /** Host copies of a vector's matrices by name, in the vector's format. */
  public Map<String, Tensor> toHost(Backend backend, Tensor flat) {
    requireSize(flat, flat.elements());
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (Parameter p : parameters) {
      named.put(p.name, HostTensors.download(backend, flat.section(p.offset, p.shape)));
    }
    return named;
  }

  /** Host copies of n vectors' matrices by name, each with a leading n; rows (n,P). */
  public Map<String, Tensor> rowsToHost(Backend backend, Tensor rows) {
    requireSize(rows, rows.dim(-1));
    long n = rows.dim(0);
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (Parameter p : parameters) {
      named.put(p.name, HostTensors.zeros(backend.vectorType(), p.stacked(n)));
    }
    for (long i = 0; i < n; i++) {
      Tensor row = HostTensors.download(backend, rows.row(i));
      for (Parameter p : parameters) {
        MemorySegment from = row.section(p.offset, p.shape).segment();
        named.get(p.name).row(i).segment().copyFrom(from);
      }
    }
    return named;
  }

  /**
   * Fills a vector from named host tensors, which must be exactly those of this layout, and finite.
   *
   * @param flat (P) out
   * @param where the file they come from, for messages
   */
  public void fromHost(Backend backend, Map<String, Tensor> named, Tensor flat, String where) {
    requireSize(flat, flat.elements());
    for (Parameter p : parameters) {
      Tensor tensor = named.get(p.name);
      if (tensor == null) {
        throw otherModel(
            where, "a tensor is missing", "'" + p.name + "' " + p.shape, "no such name");
      }
      if (!tensor.shape().equals(p.shape) || !tensor.dtype().isFloating()) {
        throw otherModel(
            place(where, p.name),
            "the tensor does not fit this model and adapter",
            "floating point " + p.shape,
            tensor.toString());
      }
      FiniteCheck.require(place(where, p.name), tensor);
    }
    for (String name : named.keySet()) {
      if (parameters.stream().noneMatch(p -> p.name.equals(name))) {
        throw otherModel(
            where,
            "a tensor belongs to no adapter matrix of this model",
            parameters.size() + " tensors such as '" + parameters.getFirst().name + "'",
            "'" + name + "'");
      }
    }
    for (Parameter p : parameters) {
      backend.upload(named.get(p.name), flat.section(p.offset, p.shape));
    }
  }

  /** The adapter's place on a linear layer; null where it has none. */
  LoraSlot slot(int layer, Projection projection) {
    return slots.get(layer).get(projection);
  }

  /** The adapter's place on a linear layer by module name; null where it has none. */
  LoraSlot slot(String module) {
    return byModule.get(module);
  }

  /** The adapters' places in the order of the vector. */
  List<LoraSlot> slots() {
    return List.copyOf(byModule.values());
  }

  private void requireSize(Tensor tensor, long length) {
    if (length != size) {
      throw new ArgumentException(
          Text.format("tensor %s does not hold vectors of the %d adapter parameters", tensor, size));
    }
  }

  /** Throws where a new adapter would have pairs on an embedding or the head. */
  static void requireLinearTargets(PeftAdapterConfig config, TransformerSpec spec) {
    WeightNames names = spec.family().names();
    boolean allLinear = "all-linear".equalsIgnoreCase(config.targetModules().regex());
    for (String module : Arrays.asList(names.embedding(), names.positions(), names.head())) {
      if (module != null && !allLinear && config.targets(module)) {
        throw new LetheException(
            "adapter_config.json, target_modules",
            "adapters on an embedding or the vocabulary head are not supported",
            "linear layers of the decoder layers",
            module,
            "Use an adapter on attention and feed-forward layers only.");
      }
    }
  }

  private static LetheException otherModel(
      String where, String problem, String expected, String got) {
    return new LetheException(
        where,
        problem,
        expected,
        got,
        "Use the base model and the adapter configuration that this file was made with.");
  }

  private static String place(String where, String name) {
    return where + ": tensor '" + name + "'";
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ParameterLayout o
        && parameters.equals(o.parameters)
        && slots.equals(o.slots);
  }

  @Override
  public int hashCode() {
    return Objects.hash(parameters, slots);
  }

  /**
   * One adapter matrix.
   *
   * @param name PEFT's key
   * @param shape A (rank,in) or B (out,rank)
   * @param offset elements before it in the vector
   */
  public record Parameter(String name, Shape shape, long offset) {
    private Shape stacked(long n) {
      return Shape.of(n, shape.dim(0), shape.dim(1));
    }
  }
}
