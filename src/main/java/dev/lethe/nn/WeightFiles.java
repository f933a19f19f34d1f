package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The weights of a model folder, checked against its dimensions. */
final class WeightFiles {
  /** Old Llama checkpoints store these; they follow from the configuration. */
  private static final String ROTARY_BUFFER = ".rotary_emb.inv_freq";

  /** The causal masks that old GPT-2 checkpoints store. */
  private static final Pattern MASK = Pattern.compile("(.*\\.)?h\\.\\d+\\.attn\\.(masked_)?bias");

  private static final int NAMES_IN_MESSAGES = 4;

  private final ModelFiles folder;
  private final String stripped;

  /** The embedding's name where a tied one is stored under the head's alone; null elsewhere. */
  private final String underHead;

  private final String head;
  private final Predicate<Tensor> sawFinite;

  /**
   * Throws where a weight is missing, unknown or of another shape than the configuration says.
   *
   * @param sawFinite who may look at a weight's numbers; what it has not seen to be finite is looked at here
   */
  WeightFiles(ModelFiles folder, TransformerSpec spec, Predicate<Tensor> sawFinite) {
    this.folder = folder;
    this.sawFinite = sawFinite;
    this.stripped = spec.family().names().leftOut(folder);
    Map<String, Shape> expected = spec.weights();
    String table = spec.family().names().embedding() + ".weight";
    this.head = spec.family().names().head() + ".weight";
    boolean tiedHead = spec.tiedEmbeddings() && folder.has(head);
    this.underHead = tiedHead && !folder.has(withoutPrefix(table)) ? table : null;
    requireNames(expected, spec.tiedEmbeddings() ? head : "");
    expected.forEach(this::requireShape);
    if (tiedHead && underHead == null) {
      requireTied(table);
    }
  }

  /** The name of a weight in the folder. */
  private String stored(String name) {
    return name.equals(underHead) ? head : withoutPrefix(name);
  }

  private String withoutPrefix(String name) {
    return name.startsWith(stripped) ? name.substring(stripped.length()) : name;
  }

  /** A view of one weight that nobody has looked at. */
  Tensor weight(String name) {
    return folder.tensor(stored(name));
  }

  /** A view of one weight, all finite. */
  Tensor finite(String name) {
    Tensor weight = weight(name);
    requireFinite(name, weight);
    return weight;
  }

  /** Refuses a weight with numbers that are not finite. */
  void requireFinite(String name, Tensor weight) {
    if (!sawFinite.test(weight)) {
      FiniteCheck.require(place(name), weight);
    }
  }

  private void requireNames(Map<String, Shape> expected, String optional) {
    List<String> missing = expected.keySet().stream().filter(name -> !folder.has(stored(name))).toList();
    if (!missing.isEmpty()) {
      throw mismatch(
          folder.path().toString(), "weights are missing", list(missing), "a folder without them");
    }
    TreeSet<String> unknown = new TreeSet<>(folder.tensorNames());
    expected.keySet().forEach(name -> unknown.remove(stored(name)));
    unknown.removeIf(
        name ->
            name.endsWith(ROTARY_BUFFER)
                || MASK.matcher(name).matches()
                || name.equals(optional));
    if (!unknown.isEmpty()) {
      throw mismatch(
          folder.path().toString(),
          "weights are there that the configuration does not account for",
          "none",
          list(List.copyOf(unknown)));
    }
  }

  private void requireShape(String name, Shape shape) {
    Shape found = folder.shape(stored(name));
    DType dtype = folder.dtype(stored(name));
    if (!found.equals(shape) || !dtype.isFloating()) {
      throw mismatch(
          place(name),
          "the weight has another shape",
          "floating point " + shape,
          dtype + found.toString());
    }
  }

  private void requireTied(String embedding) {
    Tensor one = weight(head);
    Tensor other = weight(embedding);
    if (!one.sameBytes(other)) {
      throw mismatch(
          place(head),
          "tie_word_embeddings is true and the head differs from the embedding",
          "equal tensors, or no head",
          one + " and " + other);
    }
  }

  private String place(String name) {
    return folder.path() + ": tensor '" + stored(name) + "'";
  }

  private static LetheException mismatch(
      String where, String problem, String expected, String got) {
    return new LetheException(
        where, problem, expected, got, "Check that config.json and the weights belong together.");
  }

  private static String list(List<String> names) {
    String some = names.stream().limit(NAMES_IN_MESSAGES).collect(Collectors.joining(", "));
    int more = names.size() - NAMES_IN_MESSAGES;
    return more > 0 ? some + " and " + more + " more" : some;
  }
}
