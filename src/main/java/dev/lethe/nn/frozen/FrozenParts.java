package dev.lethe.nn.frozen;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.nn.family.WeightNames;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What an adapter's file holds beside the pairs of the decoder layers: whole copies of weights ({@code modules_to_save},
 * {@code save_embedding_layers}) and pairs on embeddings or the head. Checked against the model and the configuration
 * as PEFT 0.21 applies them.
 */
final class FrozenParts {
  /** What PEFT puts behind a module's name where the module has a pair too. */
  private static final String BASE_LAYER = ".base_layer";

  private final PeftFolder adapter;
  private final TransformerSpec spec;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, Tensor> copies = new LinkedHashMap<>();

  /** Throws where a tensor belongs to nothing in the model, or is missing. */
  FrozenParts(PeftFolder adapter, TransformerSpec spec) {
    this.adapter = adapter;
    this.spec = spec;
    Set<String> decoder = new TreeSet<>();
    for (int layer = 0; layer < spec.layers(); layer++) {
      int number = layer;
      spec.projections().forEach(p -> decoder.add(spec.module(number, p)));
    }
    adapter.tensors().forEach((key, tensor) -> {
      String module = PeftFolder.pairModule(key);
      if (module == null || !decoder.contains(module)) {
        tensors.put(key, tensor);
      }
      if (module == null) {
        requireRead(key);
        copies.put(weightOf(key), tensor);
      }
    });
    copies.forEach(this::requireWeight);
    outside().forEach(this::requirePair);
    adapter.config().modulesToSave().forEach(this::requireSaved);
  }

  /** All of them by PEFT's key. */
  Map<String, Tensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /** Whole copies by the weight's name in the base model. */
  Map<String, Tensor> copies() {
    return Collections.unmodifiableMap(copies);
  }

  /** A module's pair; null where it has none. */
  Pair pair(String module) {
    for (List<String> keys : PeftFolder.PAIRS) {
      Tensor a = tensors.get(PeftFolder.PREFIX + module + keys.get(0));
      if (a != null) {
        Tensor b = tensors.get(PeftFolder.PREFIX + module + keys.get(1));
        return new Pair(a, b, keys.get(0).equals(PeftFolder.EMBEDDING_A), adapter.config().scaleOf(module));
      }
    }
    return null;
  }

  /** Whether {@code modules_to_save} names a weight's module, which the copy then replaces alone. */
  boolean saved(String weight) {
    return adapter.config().modulesToSave().stream().anyMatch(name -> selects(name, weight));
  }

  /** One sentence about what is frozen. */
  static String inWords(Collection<String> keys) {
    List<String> modules =
        keys.stream()
            .map(key -> PeftFolder.pairModule(key) == null ? moduleOf(weightOf(key)) : PeftFolder.pairModule(key))
            .distinct()
            .toList();
    String some = String.join(", ", modules.subList(0, Math.min(4, modules.size())));
    return modules.size() <= 4 ? some : some + Text.format(" and %d more", modules.size() - 4);
  }

  private static String weightOf(String key) {
    return key.substring(PeftFolder.PREFIX.length()).replace(BASE_LAYER + ".", ".");
  }

  private boolean paired(String module) {
    return PeftFolder.PAIRS.stream()
        .anyMatch(ends -> adapter.tensors().containsKey(PeftFolder.PREFIX + module + ends.getFirst()));
  }

  private static String moduleOf(String weight) {
    return weight.substring(0, weight.lastIndexOf('.'));
  }

  /** The modules outside of decoder layers that PEFT can put pairs on. */
  private List<String> outside() {
    WeightNames names = spec.family().names();
    return Stream.of(names.embedding(), names.positions(), names.head()).filter(Objects::nonNull).toList();
  }

  private Shape shape(String weight) {
    WeightNames names = spec.family().names();
    return weight.equals(names.head() + ".weight")
        ? Shape.of(spec.vocabulary(), spec.hidden())
        : spec.weights().get(weight);
  }

  /** PEFT passes over a copy whose key has not the form that its module's pair, or the lack of one, makes. */
  private void requireRead(String key) {
    String weight = weightOf(key);
    String module = moduleOf(weight);
    boolean paired = paired(module);
    if (paired != key.contains(BASE_LAYER + ".")) {
      throw mismatch(
          "PEFT would not read this copy, because '" + module + "' has " + (paired ? "a pair" : "no pair"),
          "a key " + (paired ? "with" : "without") + BASE_LAYER, Text.quote(key));
    }
  }

  private void requireWeight(String weight, Tensor copy) {
    Shape shape = shape(weight);
    if (shape == null) {
      throw mismatch("a copy belongs to no weight of this model", "copies of its weights", Text.quote(weight));
    }
    if (!copy.shape().equals(shape)) {
      throw new LetheException(
          place(), "the copy of '" + weight + "' has another shape than the base model's weight", shape.toString(),
          copy.toString(),
          "If the vocabulary was resized in training, merge base model and adapter in PEFT (merge_and_unload) and"
              + " use the result.");
    }
  }

  private void requirePair(String module) {
    boolean targeted =
        !"all-linear".equalsIgnoreCase(adapter.config().targetModules().regex())
            && adapter.config().targets(module);
    Pair pair = pair(module);
    if (targeted && pair == null) {
      throw mismatch("a targeted module has no pair", "lora tensors of '" + module + "'", "none");
    }
    if (pair == null) {
      return;
    }
    boolean table = !module.equals(spec.family().names().head());
    Shape whole = shape(module + ".weight");
    long in = whole.dim(table ? 0 : 1);
    long out = whole.dim(table ? 1 : 0);
    if (pair.table != table || pair.a.dim(1) != in || pair.b.dim(0) != out) {
      throw mismatch(
          "the pair of '" + module + "' does not fit this model",
          "A (rank," + in + ") and B (" + out + ",rank)", pair.a.shape() + " and " + pair.b.shape());
    }
    if (saved(module + ".weight")) {
      throw mismatch("'" + module + "' is in modules_to_save and has a pair", "one of the two", "both");
    }
    if (spec.tiedEmbeddings() && adapter.config().raw().path("ensure_weight_tying").asBoolean(false)) {
      throw new LetheException(
          place(), "ensure_weight_tying with a pair on '" + module + "' is not supported", "whole copies, or no tying",
          "a tied pair", "Merge base model and adapter in PEFT (merge_and_unload) and use the result.");
    }
  }

  /** Every module that modules_to_save names must have its copies, and no pair within. */
  private void requireSaved(String name) {
    List<String> weights = Stream.concat(spec.weights().keySet().stream(),
        Stream.of(spec.family().names().head() + ".weight"))
        .distinct().filter(weight -> selects(name, weight)).toList();
    if (weights.isEmpty()) {
      throw mismatch(
          "modules_to_save names a module that this model has not", "modules such as " + spec.family().names().head(),
          Text.quote(name));
    }
    for (String weight : weights) {
      String module = moduleOf(weight);
      if (!copies.containsKey(weight)) {
        throw mismatch(
            "modules_to_save names a module of which there is no copy", "'" + weight + "' in the file",
                "no such tensor");
      }
      if (paired(module)) {
        throw mismatch("'" + module + "' is in modules_to_save and has a pair", "one of the two", "both");
      }
    }
  }

  /** Whether a name selects a weight's module or one that it stands in, as PEFT compares ends of names. */
  private static boolean selects(String name, String weight) {
    String[] parts = weight.split("\\.");
    return IntStream.range(1, parts.length)
        .anyMatch(n -> String.join(".", Arrays.copyOf(parts, n)).endsWith(name));
  }

  private String place() {
    return adapter.path().toString();
  }

  private LetheException mismatch(String problem, String expected, String got) {
    return new LetheException(
        place(), problem, expected, got, "Use the base model that this adapter was made for.");
  }

  /**
   * A frozen pair.
   *
   * @param a (rank,in)
   * @param b (out,rank)
   * @param table whether it is on an embedding, whose weight is (in,out)
   */
  record Pair(Tensor a, Tensor b, boolean table, double scale) {}
}
