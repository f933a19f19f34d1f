package dev.lethe.nn;

import dev.lethe.Lifetime;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Rehearsal;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.format.Sha256;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.huggingface.Rope;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.ModelFamily.Trait;
import dev.lethe.nn.family.Norm;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.nn.family.WeightNames;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.NormalFloat;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SystemPages;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A decoder's frozen weights on a backend, in one scope. The model folder must stay open as long as
 * the model lives: the embedding is read from its mapped file, a row at a time.
 *
 * <p>A weight is prepared for backward products unless nothing active can ever lie below it: not
 * for query, key and value of the lowest layer.
 */
public final class LanguageModel implements AutoCloseable {
  private final TransformerSpec spec;
  private final Backend backend;
  private final ModelFiles folder;
  private final LoraAdapter merged;
  private final boolean fourBits;
  private final Lifetime lifetime;
  private final Scope scope;
  private final boolean left;
  private final FrozenEmbedding embedding;
  private final FrozenEmbedding positions;
  private final List<Layer> layers = new ArrayList<>();
  private final NormWeights finalNorm;
  private final FrozenLinear head;
  private final Map<Rope, RopeTables> ropes = new HashMap<>();
  private String sha256;

  private LanguageModel(
      ModelFiles folder,
      TransformerSpec spec,
      Backend backend,
      LoraAdapter merged,
      boolean fourBits,
      WeightStorage storage,
      Lifetime lifetime,
      Scope scope) {
    this.folder = folder;
    this.spec = spec;
    this.backend = backend;
    this.merged = merged;
    this.fourBits = fourBits;
    this.lifetime = lifetime;
    this.scope = scope;
    WeightNames names = spec.family().names();
    boolean rehearsed = backend instanceof Rehearsal;
    WeightFiles files = new WeightFiles(folder, spec, backend::sawFinite);
    this.left = storage.left(folder, spec, backend);
    if (!left && !rehearsed) {
      MemoryNeed.require(
          MemoryNeed.ofWeights(spec, folder, backend), backend, folder.path().toString());
    }
    String tableName = names.embedding() + ".weight";
    boolean tied = spec.tiedEmbeddings();
    Tensor table = tied ? files.weight(tableName) : files.finite(tableName);
    embedding = backend.freezeEmbedding(table, scope);
    positions =
        names.positions() == null
            ? null
            : backend.freezeEmbedding(files.finite(names.positions() + ".weight"), scope);
    for (int layer = 0; layer < spec.layers(); layer++) {
      layers.add(layer(files, layer));
    }
    finalNorm = norm(files, names.finalNorm(), 1);
    String headName = tied ? tableName : names.head() + ".weight";
    head = freeze(files, headName, tied ? table : files.weight(headName), null, true);
    if (spec.rope() != null) {
      for (int layer = 0; layer < spec.layers(); layer++) {
        ropes.computeIfAbsent(
            spec.rope(layer), rope -> new RopeTables(rope, spec, backend, scope));
      }
    }
  }

  /**
   * Loads a model.
   *
   * @throws dev.lethe.LetheException where the family is unknown, a weight is missing, unknown, of
   *     another shape or not finite, or memory does not suffice
   */
  public static LanguageModel open(ModelFiles folder, Backend backend) {
    return open(folder, backend, WeightStorage.AUTO);
  }

  /** The same with weights in a form of memory. */
  public static LanguageModel open(ModelFiles folder, Backend backend, WeightStorage storage) {
    return load(folder, backend, null, false, storage);
  }

  /** Loads a model with an adapter's s·BA added to its weights, for running without the adapter. */
  public static LanguageModel openMerged(
      ModelFiles folder, Backend backend, LoraAdapter adapter) {
    return load(folder, backend, adapter, false, WeightStorage.AUTO);
  }

  /** The same with the sums in the decoder's linear layers rounded to NF4, see {@link NormalFloat#round}. */
  public static LanguageModel openMergedInFourBits(
      ModelFiles folder, Backend backend, LoraAdapter adapter) {
    return load(folder, backend, adapter, true, WeightStorage.AUTO);
  }

  private static LanguageModel load(
      ModelFiles folder, Backend backend, LoraAdapter merged, boolean fourBits, WeightStorage storage) {
    TransformerSpec spec = ModelFamily.spec(folder.config(), folder.path().toString());
    if (merged != null) {
      merged.requireFits(spec);
    }
    Lifetime lifetime = new Lifetime("model " + folder.path());
    Scope scope = backend.openScope("model " + folder.path().getFileName()).of(lifetime);
    try {
      return new LanguageModel(folder, spec, backend, merged, fourBits, storage, lifetime, scope);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private Layer layer(WeightFiles files, int layer) {
    lifetime.requireOpen();
    WeightNames names = spec.family().names();
    Map<Projection, FrozenLinear> linears = new EnumMap<>(Projection.class);
    for (List<Projection> group : Projection.GROUPS) {
      List<Projection> present = group.stream().filter(spec::has).toList();
      if (asStored()) {
        linears.putAll(together(files, layer, present));
      } else {
        present.forEach(p -> linears.put(p, linear(files, layer, p)));
      }
    }
    Map<Norm, NormWeights> norms = new EnumMap<>(Norm.class);
    for (Norm norm : spec.norms()) {
      norms.put(norm, norm(files, names.module(layer, norm), spec.gain(norm)));
    }
    return new Layer(norms, linears);
  }

  private NormWeights norm(WeightFiles files, String module, double gain) {
    boolean biased = spec.family().traits().contains(Trait.LAYER_NORMS);
    return new NormWeights(
        normWeight(files, module, gain),
        biased ? backend.freezeVector(files.finite(module + ".bias"), scope) : null);
  }

  /** A norm's weight: gain·w, or gain·(1 + w) where the family's norms add one. */
  private Tensor normWeight(WeightFiles files, String module, double gain) {
    Tensor stored = files.finite(module + ".weight");
    double one = spec.family().traits().contains(Trait.NORMS_ADD_ONE) ? 1 : 0;
    if (one == 0 && gain == 1) {
      return backend.freezeVector(stored, scope);
    }
    double[] weight = stored.toDoubles();
    for (int i = 0; i < weight.length; i++) {
      weight[i] = gain * (one + weight[i]);
    }
    return backend.freezeVector(Tensor.of(stored.shape(), weight), scope);
  }

  /** Whether matrices are taken over as they are in the file. */
  private boolean asStored() {
    return merged == null && !left && !turned();
  }

  private boolean turned() {
    return spec.family().traits().contains(Trait.TRANSPOSED_WEIGHTS);
  }

  private String weight(int layer, Projection projection) {
    return spec.module(layer, projection) + ".weight";
  }

  /** (out), or null. */
  private Tensor bias(WeightFiles files, int layer, Projection projection) {
    return spec.biased().contains(projection) ? files.finite(spec.module(layer, projection) + ".bias") : null;
  }

  private static boolean transposed(int layer, Projection projection) {
    return layer > 0 || !projection.readsLayerInput();
  }

  /** Layers that read one input; none for an empty list. */
  private Map<Projection, FrozenLinear> together(WeightFiles files, int layer, List<Projection> group) {
    Map<Projection, FrozenLinear> linears = new EnumMap<>(Projection.class);
    List<String> names = group.stream().map(p -> weight(layer, p)).toList();
    List<Tensor> weights = names.stream().map(files::weight).toList();
    List<Tensor> biases = new ArrayList<>();
    group.forEach(p -> biases.add(bias(files, layer, p)));
    if (!group.isEmpty()) {
      boolean transposed = transposed(layer, group.getFirst());
      List<FrozenLinear> frozen = backend.freezeTogether(weights, biases, transposed, scope);
      for (int i = 0; i < group.size(); i++) {
        linears.put(group.get(i), taken(files, names.get(i), weights.get(i), frozen.get(i)));
      }
    }
    return linears;
  }

  private FrozenLinear linear(WeightFiles files, int layer, Projection projection) {
    String name = weight(layer, projection);
    Tensor bias = bias(files, layer, projection);
    boolean transposed = transposed(layer, projection);
    boolean turned = turned();
    if (merged == null && !turned) {
      return freeze(files, name, files.weight(name), bias, transposed);
    }
    Tensor weight = files.finite(name);
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("weight", memory)) {
      Shape shape = Shape.of(spec.out(projection), spec.in(projection));
      Tensor copy = host.allocate(merged == null ? weight.dtype() : backend.vectorType(), shape);
      if (turned) {
        HostTensors.transpose(weight, copy);
      } else {
        copy.copyFrom(weight);
      }
      if (merged != null) {
        merged.addDeltaWeight(spec.module(layer, projection), copy);
      }
      if (fourBits) {
        NormalFloat.round(copy);
      }
      return backend.freezeLinear(copy, bias, transposed, scope);
    }
  }

  private FrozenLinear freeze(WeightFiles files, String name, Tensor weight, Tensor bias, boolean transposed) {
    if (left && weight.dtype() == DType.BF16) {
      files.requireFinite(name, weight);
      return backend.leaveLinear(weight, bias, transposed, scope);
    }
    return taken(files, name, weight, backend.freezeLinear(weight, bias, transposed, scope));
  }

  /** A weight of which the backend has its own copy, all finite. */
  private static FrozenLinear taken(WeightFiles files, String name, Tensor weight, FrozenLinear frozen) {
    if (!frozen.seenFinite()) {
      files.requireFinite(name, weight);
    }
    SystemPages.forget(weight.segment());
    return frozen;
  }

  /** Whether matrices stay in the model's file, in bfloat16. */
  public boolean leavesWeights() {
    lifetime.requireOpen();
    return left;
  }

  public TransformerSpec spec() {
    lifetime.requireOpen();
    return spec;
  }

  public Backend backend() {
    lifetime.requireOpen();
    return backend;
  }

  /** What every adapter of this model must hold beside its pairs, by PEFT's key; frozen weights here. */
  public Map<String, Tensor> carried() {
    lifetime.requireOpen();
    return folder.carried();
  }

  /** SHA-256 of configuration and weights, and of a merged adapter, in hex. */
  public synchronized String sha256() {
    lifetime.requireOpen();
    if (sha256 == null) {
      sha256 =
          merged == null
              ? folder.sha256()
              : Sha256.start().add(folder.sha256()).add(merged.sha256()).hex();
    }
    return sha256;
  }

  /** Gives the weights back; closing twice is harmless. The folder stays the caller's. */
  @Override
  public void close() {
    lifetime.end();
    scope.close();
  }

  FrozenEmbedding embedding() {
    lifetime.requireOpen();
    return embedding;
  }

  Layer layer(int index) {
    lifetime.requireOpen();
    return layers.get(index);
  }

  /** The learned positions; null where there are rotary ones. */
  FrozenEmbedding positions() {
    lifetime.requireOpen();
    return positions;
  }

  NormWeights finalNorm() {
    lifetime.requireOpen();
    return finalNorm;
  }

  FrozenLinear head() {
    lifetime.requireOpen();
    return head;
  }

  /** At least so many rotary positions of a layer; null where positions are learned. */
  RopeTable rope(int layer, long count) {
    lifetime.requireOpen();
    return spec.rope() == null ? null : ropes.get(spec.rope(layer)).atLeast(count);
  }

  /** The frozen weights of a layer. */
  record Layer(Map<Norm, NormWeights> norms, Map<Projection, FrozenLinear> linears) {
    /** A norm's weights; null where the family has no such norm. */
    NormWeights norm(Norm norm) {
      return norms.get(norm);
    }
  }

  /**
   * The frozen weights of a norm.
   *
   * @param weight (D)
   * @param bias (D) of a layer norm; null: a root-mean-square norm
   */
  record NormWeights(Tensor weight, Tensor bias) {}
}
