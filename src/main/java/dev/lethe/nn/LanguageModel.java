package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.FrozenEmbedding;
import dev.lethe.backend.kernel.FrozenLinear;
import dev.lethe.backend.kernel.RopeTable;
import dev.lethe.format.ModelFiles;
import dev.lethe.format.Sha256;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumMap;
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
  private final Scope scope;
  private final FrozenEmbedding embedding;
  private final List<Layer> layers = new ArrayList<>();
  private final Tensor finalNorm;
  private final FrozenLinear head;
  private final RopeTables rope;
  private String sha256;

  private LanguageModel(
      ModelFiles folder,
      TransformerSpec spec,
      Backend backend,
      LoraAdapter merged,
      Scope scope) {
    this.folder = folder;
    this.spec = spec;
    this.backend = backend;
    this.merged = merged;
    this.scope = scope;
    WeightNames names = spec.family().names();
    WeightFiles files = new WeightFiles(folder, spec);
    MemoryNeed.require(
        MemoryNeed.ofWeights(spec, folder, backend), backend, folder.path().toString());
    Tensor table = files.finite(names.embedding() + ".weight");
    embedding = backend.freezeEmbedding(table, scope);
    for (int layer = 0; layer < spec.layers(); layer++) {
      layers.add(layer(files, layer));
    }
    finalNorm = backend.freezeVector(files.finite(names.finalNorm() + ".weight"), scope);
    Tensor headWeight = spec.tiedEmbeddings() ? table : files.finite(names.head() + ".weight");
    head = backend.freezeLinear(headWeight, null, true, scope);
    rope = new RopeTables(spec, backend, scope);
  }

  /**
   * Loads a model.
   *
   * @throws dev.lethe.LetheException where the family is unknown, a weight is missing, unknown, of
   *     another shape or not finite, or memory does not suffice
   */
  public static LanguageModel open(ModelFiles folder, Backend backend) {
    return load(folder, backend, null);
  }

  /** Loads a model with an adapter's s·BA added to its weights, for running without the adapter. */
  public static LanguageModel openMerged(
      ModelFiles folder, Backend backend, LoraAdapter adapter) {
    return load(folder, backend, adapter);
  }

  private static LanguageModel load(ModelFiles folder, Backend backend, LoraAdapter merged) {
    TransformerSpec spec = ModelFamily.spec(folder.config(), folder.path().toString());
    if (merged != null) {
      merged.requireFits(spec);
    }
    Scope scope = backend.openScope("model " + folder.path().getFileName());
    try {
      return new LanguageModel(folder, spec, backend, merged, scope);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private Layer layer(WeightFiles files, int layer) {
    WeightNames names = spec.family().names();
    Map<Projection, FrozenLinear> linears = new EnumMap<>(Projection.class);
    for (Projection p : Projection.values()) {
      linears.put(p, linear(files, layer, p));
    }
    return new Layer(
        backend.freezeVector(files.finite(names.attentionNorm(layer) + ".weight"), scope),
        linears,
        backend.freezeVector(files.finite(names.mlpNorm(layer) + ".weight"), scope));
  }

  private FrozenLinear linear(WeightFiles files, int layer, Projection projection) {
    String module = spec.module(layer, projection);
    Tensor weight = files.finite(module + ".weight");
    Tensor bias = spec.biased().contains(projection) ? files.finite(module + ".bias") : null;
    boolean transposed = layer > 0 || !projection.readsLayerInput();
    if (merged == null) {
      return backend.freezeLinear(weight, bias, transposed, scope);
    }
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("merged weight", memory)) {
      Tensor sum = host.allocate(backend.vectorType(), weight.shape());
      sum.copyFrom(weight);
      merged.addDeltaWeight(module, sum);
      return backend.freezeLinear(sum, bias, transposed, scope);
    }
  }

  public TransformerSpec spec() {
    return spec;
  }

  public Backend backend() {
    return backend;
  }

  /** SHA-256 of configuration and weights, and of a merged adapter, in hex. */
  public synchronized String sha256() {
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
    scope.close();
  }

  FrozenEmbedding embedding() {
    return embedding;
  }

  Layer layer(int index) {
    return layers.get(index);
  }

  Tensor finalNorm() {
    return finalNorm;
  }

  FrozenLinear head() {
    return head;
  }

  RopeTable rope(long positions) {
    return rope.atLeast(positions);
  }

  /**
   * @param attentionNorm (D)
   * @param mlpNorm (D)
   */
  record Layer(Tensor attentionNorm, Map<Projection, FrozenLinear> linears, Tensor mlpNorm) {}
}
