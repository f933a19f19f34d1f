package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.Lifetime;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.format.Sha256;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A LoRA adapter on a model: PEFT's configuration and the flat vector θ of all its matrices on the
 * model's backend, which training and unlearning change in place. Hu et al., arXiv 2106.09685.
 */
public final class LoraAdapter implements AutoCloseable {
  private final PeftAdapterConfig config;
  private final LanguageModel model;
  private final ParameterLayout layout;
  private final Lifetime lifetime = new Lifetime("adapter");
  private final Scope scope;
  private final Tensor theta;

  private LoraAdapter(PeftAdapterConfig config, LanguageModel model, ParameterLayout layout) {
    this.config = config;
    this.model = model;
    this.layout = layout;
    this.scope = model.backend().openScope("adapter").of(lifetime);
    this.theta = scope.allocate(model.backend().vectorType(), layout.size());
  }

  /** An adapter as the configuration says, all of whose parameters are zero. */
  public static LoraAdapter zero(PeftAdapterConfig config, LanguageModel model) {
    LoraAdapter adapter = new LoraAdapter(config, model, layout(config, model));
    model.backend().vectors().fill(adapter.theta, 0);
    return adapter;
  }

  /** A new adapter with PEFT's start values: it changes nothing yet, because B is zero. */
  public static LoraAdapter create(PeftAdapterConfig config, LanguageModel model, long seed) {
    LoraInit init = new LoraInit(config, seed);
    LoraAdapter adapter = zero(config, model);
    Backend backend = model.backend();
    for (LoraSlot slot : adapter.layout.slots()) {
      Shape shape = Shape.of(slot.rank(), slot.in());
      Tensor a = Tensor.of(shape, init.a(slot.rank(), slot.in()));
      backend.upload(a, adapter.theta.section(slot.aOffset(), shape));
    }
    return adapter;
  }

  /**
   * The adapter of a folder.
   *
   * @throws LetheException where it was made for another base model, or has frozen parts that the model was not opened
   *     with
   */
  public static LoraAdapter open(PeftFolder folder, LanguageModel model) {
    Map<String, Tensor> pairs = pairs(folder, model);
    LoraAdapter adapter = new LoraAdapter(folder.config(), model, layout(folder.config(), model));
    try {
      adapter.layout.fromHost(model.backend(), pairs, adapter.theta, folder.path().toString());
      return adapter;
    } catch (RuntimeException | Error e) {
      adapter.close();
      throw e;
    }
  }

  private static ParameterLayout layout(PeftAdapterConfig config, LanguageModel model) {
    if (model.carried().isEmpty()) {
      ParameterLayout.requireLinearTargets(config, model.spec());
    }
    return ParameterLayout.of(config, model.spec());
  }

  /** The tensors of a folder but for what the model has as its frozen weights, which must be the same. */
  private static Map<String, Tensor> pairs(PeftFolder folder, LanguageModel model) {
    Map<String, Tensor> pairs = new LinkedHashMap<>(folder.tensors());
    model.carried().forEach((key, frozen) -> {
      Tensor own = pairs.remove(key);
      if (own == null || !own.sameBytes(frozen)) {
        throw new LetheException(
            folder.path().toString(), "the model has frozen weights of another adapter", "the same tensor '" + key + "'",
            own == null ? "none" : "other numbers", "Give each adapter with weights of its own a session of its own.");
      }
    });
    for (String key : pairs.keySet()) {
      if (PeftFolder.pairModule(key) == null) {
        throw new LetheException(
            folder.path().toString(), "the adapter has a whole copy of a weight, and the model was opened without it",
            "pairs alone, or a session that opens this adapter first", "'" + key + "'",
            "Open the adapter through Session.adapted before the session's model is used otherwise.");
      }
    }
    return pairs;
  }

  public PeftAdapterConfig config() {
    lifetime.requireOpen();
    return config;
  }

  public ParameterLayout layout() {
    lifetime.requireOpen();
    return layout;
  }

  /** θ (P) on the backend in its vector format; changed in place by whoever trains. */
  public Tensor theta() {
    lifetime.requireOpen();
    return theta;
  }

  public LanguageModel model() {
    lifetime.requireOpen();
    return model;
  }

  /** Probability with which training drops an element of an adapter's input. */
  public double dropout() {
    lifetime.requireOpen();
    return config.loraDropout();
  }

  /** The same adapter with its own θ. */
  public LoraAdapter copy() {
    lifetime.requireOpen();
    LoraAdapter copy = new LoraAdapter(config, model, layout);
    model.backend().vectors().copy(theta, copy.theta);
    return copy;
  }

  /** Writes a new PEFT folder with the given parameters, whole or not at all. */
  public void save(Path dir, Tensor parameters) {
    lifetime.requireOpen();
    PeftFolder.write(dir, config, tensors(parameters));
  }

  /** Writes the adapter's two files into a folder that is being made. */
  public void writeInto(Path dir) {
    lifetime.requireOpen();
    PeftFolder.writeInto(dir, config, tensors(theta));
  }

  /** The pairs, and what every adapter of the model carries beside them. */
  private Map<String, Tensor> tensors(Tensor parameters) {
    Map<String, Tensor> tensors = layout.toHost(model.backend(), parameters);
    tensors.putAll(model.carried());
    return tensors;
  }

  /** Writes a new PEFT folder, whole or not at all. */
  public void save(Path dir) {
    lifetime.requireOpen();
    save(dir, theta);
  }

  /**
   * SHA-256 of configuration and present parameters in hex; equal numbers hash alike everywhere.
   */
  public String sha256() {
    lifetime.requireOpen();
    Sha256 hash = Sha256.start().add(config.raw().toString());
    layout
        .toHost(model.backend(), theta)
        .forEach((name, tensor) -> hash.add(name).add(bits(tensor)));
    return hash.hex();
  }

  /**
   * How far apart two parameter vectors are in what they do: (Σ ‖s(B'A' − BA)‖²)^½ over all pairs,
   * in the Frobenius norm. Changes that only move factors between A and B count nothing.
   */
  public double deltaWeightDistance(Tensor one, Tensor other) {
    lifetime.requireOpen();
    double sum = 0;
    for (LoraSlot slot : layout.slots()) {
      sum +=
          DeltaWeights.distanceSquared(
              slot, a(slot, one), b(slot, one), a(slot, other), b(slot, other));
    }
    return Math.sqrt(sum);
  }

  /** Gives θ back; closing twice is harmless. */
  @Override
  public void close() {
    lifetime.end();
    scope.close();
  }

  /** Adds s·BA to a host weight (out,in), if the module has a pair. */
  void addDeltaWeight(String module, Tensor weight) {
    LoraSlot slot = layout.slot(module);
    if (slot != null) {
      DeltaWeights.add(slot, a(slot, theta), b(slot, theta), weight);
    }
  }

  /** Throws where the adapter was not made for a model of these dimensions. */
  void requireFits(TransformerSpec spec) {
    if (!model.spec().equals(spec)) {
      throw new LetheException(
          "adapter",
          "was opened for a model of other dimensions",
          model.spec().toString(),
          spec.toString(),
          "Open the adapter with the model that it is to run on.");
    }
  }

  /** A (rank,in) of a pair, row by row. */
  double[] a(LoraSlot slot) {
    return a(slot, theta());
  }

  /** B (out,rank) of a pair, row by row. */
  double[] b(LoraSlot slot) {
    return b(slot, theta());
  }

  private double[] a(LoraSlot slot, Tensor parameters) {
    Shape shape = Shape.of(slot.rank(), slot.in());
    return HostTensors.doubles(model.backend(), parameters.section(slot.aOffset(), shape));
  }

  private double[] b(LoraSlot slot, Tensor parameters) {
    Shape shape = Shape.of(slot.out(), slot.rank());
    return HostTensors.doubles(model.backend(), parameters.section(slot.bOffset(), shape));
  }

  private static int[] bits(Tensor tensor) {
    int[] bits = new int[Math.toIntExact(2 * tensor.elements())];
    for (int i = 0; i < tensor.elements(); i++) {
      long value = Double.doubleToLongBits(tensor.get(i));
      bits[2 * i] = (int) (value >>> 32);
      bits[2 * i + 1] = (int) value;
    }
    return bits;
  }
}
