package dev.lethe.nn.frozen;

import dev.lethe.LetheException;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.format.Sha256;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.DeltaWeights;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.nn.family.WeightNames;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/**
 * A base model with the frozen parts of an adapter in it: whole copies stand in for the base's weights, pairs on
 * embeddings or the head are added to theirs. A tied head that then differs from the embedding becomes one of its own.
 */
public final class FrozenModel implements ModelFiles {
  private final ModelFiles base;
  private final PeftFolder adapter;
  private final Map<String, Tensor> carried;
  private final Map<String, Tensor> weights = new LinkedHashMap<>();
  private final HostAllocator memory = new HostAllocator();
  private final Scope scope = Scope.open("frozen parts", memory);
  private final String leftOut;
  private boolean untied;

  private FrozenModel(ModelFiles base, PeftFolder adapter, TransformerSpec spec, FrozenParts parts) {
    this.base = base;
    this.adapter = adapter;
    this.carried = parts.tensors();
    this.leftOut = spec.family().names().leftOut(base);
  }

  private void take(TransformerSpec spec, FrozenParts parts, DType sums) {
    WeightNames names = spec.family().names();
    String table = names.embedding() + ".weight";
    String head = names.head() + ".weight";
    boolean underHead = spec.tiedEmbeddings() && base.has(head) && !base.has(stored(table));
    if (underHead) {
      weights.put(stored(table), base.tensor(head));
    }
    parts.copies().forEach((name, copy) -> weights.put(stored(name), copy));
    if (spec.tiedEmbeddings()) {
      untie(parts, underHead ? head : stored(table), table, head);
    }
    for (String module : new String[] {names.embedding(), names.positions(), names.head()}) {
      FrozenParts.Pair pair = module == null ? null : parts.pair(module);
      if (pair != null) {
        String name = stored(module + ".weight");
        weights.put(name, sum(tensor(name), pair, sums));
      }
    }
  }

  /**
   * The model of an adapter; the base itself where the adapter has pairs of decoder layers alone.
   *
   * @param sums the format of weights that a pair is added to
   * @return closes the base with itself
   * @throws LetheException where the parts do not fit the base model
   */
  public static ModelFiles of(ModelFiles base, Path adapterDir, DType sums) {
    TransformerSpec spec = ModelFamily.spec(base.config(), base.path().toString());
    PeftFolder adapter = PeftFolder.open(adapterDir);
    FrozenModel model = null;
    boolean kept = false;
    try {
      FrozenParts parts = new FrozenParts(adapter, spec);
      if (parts.tensors().isEmpty()) {
        return base;
      }
      model = new FrozenModel(base, adapter, spec, parts);
      model.take(spec, parts, sums);
      kept = true;
      return model;
    } finally {
      if (!kept && model != null) {
        model.closeOwn();
      } else if (!kept) {
        adapter.close();
      }
    }
  }

  /** The modules that {@link ModelFiles#carried} tensors belong to, a few by name. */
  public static String modules(Map<String, Tensor> carried) {
    return FrozenParts.inWords(carried.keySet());
  }

  /**
   * A head that has a copy or a pair of its own, or whose embedding has, is tied no longer.
   *
   * @param inBase under which name the base stores what both are
   */
  private void untie(FrozenParts parts, String inBase, String table, String head) {
    boolean own = parts.saved(table) || parts.saved(head);
    WeightNames names = ModelFamily.spec(base.config(), base.path().toString()).family().names();
    untied = own || parts.pair(names.embedding()) != null || parts.pair(names.head()) != null;
    if (!untied || parts.saved(head)) {
      return;
    }
    Tensor before = parts.saved(table) ? base.tensor(inBase) : tensor(stored(table));
    Tensor copy = weights.putIfAbsent(head, before);
    if (copy != null && !copy.sameBytes(before)) {
      throw new LetheException(
          adapter.path().toString(),
          "the base model ties its head to its embedding, and the adapter has another copy of each",
          "equal copies, or both in modules_to_save", "'" + head + "' and '" + table + "' that differ",
          "Merge base model and adapter in PEFT (merge_and_unload) and use the result.");
    }
  }

  private Tensor sum(Tensor own, FrozenParts.Pair pair, DType sums) {
    Tensor sum = scope.allocate(sums, own.shape().toArray());
    sum.copyFrom(own);
    double[] a = pair.a().toDoubles(); // (rank,in)
    double[] b = pair.b().toDoubles(); // (out,rank)
    long rank = pair.a().dim(0);
    long in = pair.a().dim(1);
    long out = pair.b().dim(0);
    if (pair.table()) {
      LoraSlot slot = new LoraSlot(out, in, rank, pair.scale(), 0, rank * out);
      DeltaWeights.add(slot, transposed(b, out, rank), transposed(a, rank, in), sum);
    } else {
      DeltaWeights.add(new LoraSlot(in, out, rank, pair.scale(), 0, rank * in), a, b, sum);
    }
    return sum;
  }

  private static double[] transposed(double[] matrix, long rows, long columns) {
    double[] result = new double[matrix.length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        result[j * (int) rows + i] = matrix[i * (int) columns + j];
      }
    }
    return result;
  }

  /** A weight's name in the files of a base that was saved without its head. */
  private String stored(String name) {
    return name.startsWith(leftOut) ? name.substring(leftOut.length()) : name;
  }

  @Override
  public Path path() {
    return base.path();
  }

  @Override
  public HfConfig config() {
    return untied ? base.config().untied() : base.config();
  }

  @Override
  public ObjectNode configJson() {
    ObjectNode json = base.configJson();
    if (untied) {
      json.put("tie_word_embeddings", false);
    }
    return json;
  }

  @Override
  public Tensor tensor(String name) {
    return weights.containsKey(name) ? weights.get(name) : base.tensor(name);
  }

  @Override
  public DType dtype(String name) {
    return weights.containsKey(name) ? weights.get(name).dtype() : base.dtype(name);
  }

  @Override
  public Shape shape(String name) {
    return weights.containsKey(name) ? weights.get(name).shape() : base.shape(name);
  }

  @Override
  public Set<String> tensorNames() {
    Set<String> names = new LinkedHashSet<>(base.tensorNames());
    names.addAll(weights.keySet());
    return Collections.unmodifiableSet(names);
  }

  @Override
  public Map<String, Tensor> carried() {
    return carried;
  }

  @Override
  public String sha256() {
    Sha256 hash = Sha256.start().add(base.sha256());
    carried.forEach((key, tensor) -> hash.add(key).add(tensor));
    return hash.hex();
  }

  /** All but the base, which stays its caller's until a model is made of it. */
  private void closeOwn() {
    scope.close();
    memory.close();
    adapter.close();
  }

  @Override
  public void close() {
    closeOwn();
    base.close();
  }
}
