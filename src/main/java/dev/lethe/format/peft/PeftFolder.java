package dev.lethe.format.peft;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;

/**
 * A PEFT adapter folder: {@code adapter_config.json} and {@code adapter_model.safetensors} with
 * keys such as {@code base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight}. A is (r,
 * in), B is (out, r). Beside pairs there may be whole copies of weights, as {@code base_model.model.lm_head.weight}. On
 * opening, the tensors are checked against the configuration: whole pairs, targeted modules, ranks, finite numbers.
 */
public final class PeftFolder implements AutoCloseable {
  /** What stands before a module's name in a key. */
  public static final String PREFIX = "base_model.model.";

  /** What follows a module's name in the key of A, (r, in). */
  public static final String LORA_A = ".lora_A.weight";

  /** What follows a module's name in the key of B, (out, r). */
  public static final String LORA_B = ".lora_B.weight";

  /** What follows an embedding's name in the key of A, (r, rows). */
  public static final String EMBEDDING_A = ".lora_embedding_A";

  /** What follows an embedding's name in the key of B, (width, r). */
  public static final String EMBEDDING_B = ".lora_embedding_B";

  /** The ends of a pair's keys, A before B: of linear layers, and of embeddings. */
  public static final List<List<String>> PAIRS =
      List.of(List.of(LORA_A, LORA_B), List.of(EMBEDDING_A, EMBEDDING_B));

  private static final List<String> COPIED = List.of(".weight", ".bias");
  private static final String CONFIG = "adapter_config.json";
  private static final String WEIGHTS = "adapter_model.safetensors";

  private final Path path;
  private final PeftAdapterConfig config;
  private final SafeTensors file;
  private final Map<String, Tensor> tensors;

  private PeftFolder(
      Path path, PeftAdapterConfig config, SafeTensors file, Map<String, Tensor> tensors) {
    this.path = path;
    this.config = config;
    this.file = file;
    this.tensors = tensors;
  }

  /** Opens and checks a folder. */
  public static PeftFolder open(Path dir) {
    requireWeights(dir);
    PeftAdapterConfig config = PeftAdapterConfig.read(dir.resolve(CONFIG));
    SafeTensors file = SafeTensors.open(dir.resolve(WEIGHTS));
    boolean opened = false;
    try {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      AdapterKeys keys = AdapterKeys.of(file.names(), file.path());
      file.names().forEach(name -> tensors.put(keys.plain(name), file.get(name)));
      check(config, tensors, file.path().toString());
      opened = true;
      return new PeftFolder(dir, config, file, Collections.unmodifiableMap(tensors));
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  /** Writes a new folder, whole or not at all. Throws where it exists. */
  public static void write(Path dir, PeftAdapterConfig config, Map<String, Tensor> tensors) {
    OutputFolder.refuseExisting(dir);
    try (OutputFolder out = OutputFolder.create(dir)) {
      writeInto(out.path(), config, tensors);
      out.commit();
    }
  }

  /** Writes the adapter's two files into a folder that is being made. */
  public static void writeInto(Path dir, PeftAdapterConfig config, Map<String, Tensor> tensors) {
    check(config, tensors, dir.resolve(WEIGHTS).toString());
    AtomicFiles.writeText(dir.resolve(CONFIG), StrictJson.write(config.raw()));
    SafeTensors.write(dir.resolve(WEIGHTS), tensors, Map.of("format", "pt"));
  }

  public Path path() {
    return path;
  }

  public PeftAdapterConfig config() {
    return config;
  }

  /** The tensors by key, in the order of the file; views that die with this folder. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /** The names in the base model of the modules that have a pair, sorted. */
  public Set<String> modules() {
    Set<String> modules = new TreeSet<>();
    tensors.keySet().stream().map(PeftFolder::pairModule).filter(Objects::nonNull).forEach(modules::add);
    return modules;
  }

  /** SHA-256 of configuration and tensors, in hex. */
  public String sha256() {
    return Sha256.ofFiles(List.of(path.resolve(CONFIG), path.resolve(WEIGHTS)));
  }

  /** Unmaps the tensors. Closing twice is harmless. */
  @Override
  public void close() {
    file.close();
  }

  private static void requireWeights(Path dir) {
    if (!Files.isDirectory(dir)) {
      throw Place.of(dir).refuse(
          Kind.FILE_MISSING, "there is no such adapter folder", "a folder with " + CONFIG + " and " + WEIGHTS,
          Files.exists(dir) ? "a file" : "nothing");
    }
    if (!Files.exists(dir.resolve(WEIGHTS)) && Files.exists(dir.resolve("adapter_model.bin"))) {
      throw Place.of(dir).refuse(
          Kind.PICKLE, "the adapter is in pickle form, which runs code when read", WEIGHTS,
          "adapter_model.bin");
    }
  }

  private static void check(PeftAdapterConfig config, Map<String, Tensor> tensors, String where) {
    if (tensors.isEmpty()) {
      throw mismatch(where, "the adapter is empty", "at least one pair", "no tensors");
    }
    tensors.forEach(
        (key, tensor) -> {
          String place = where + ": tensor '" + key + "'";
          String module = pairModule(key);
          if (module == null) {
            requireCopy(where, key, tensor);
          } else {
            String end = key.substring(PREFIX.length() + module.length());
            String other = PREFIX + module + otherEnd(end);
            if (!tensors.containsKey(other)) {
              throw mismatch(place, "half of a pair", "'" + other + "' too", "only this");
            }
            if (!config.targets(module)) {
              throw mismatch(
                  place,
                  "the configuration does not target its module",
                  "a module of target_modules",
                  "'" + module + "'");
            }
            requireShape(place, end, tensor, config.rankOf(module));
          }
          FiniteCheck.require(place, tensor);
        });
  }

  private static String otherEnd(String end) {
    List<String> pair = PAIRS.stream().filter(ends -> ends.contains(end)).findFirst().orElseThrow();
    return pair.get(1 - pair.indexOf(end));
  }

  private static void requireCopy(String where, String key, Tensor tensor) {
    boolean copy =
        key.startsWith(PREFIX)
            && COPIED.stream().anyMatch(end -> key.endsWith(end) && key.length() > PREFIX.length() + end.length())
            && !key.contains(".lora_");
    if (!copy) {
      throw new Place(where).refuse(
          Kind.UNSUPPORTED, "this is neither a tensor of a LoRA pair nor a copy of a weight",
          PREFIX + "<module>" + LORA_A + " or " + LORA_B + ", or " + PREFIX + "<module>.weight", "'" + key + "'");
    }
    if (!tensor.dtype().isFloating()) {
      throw mismatch(where + ": tensor '" + key + "'", "a copy of a weight is not in floating point", "F32, F16 or BF16",
          tensor.toString());
    }
  }

  private static void requireShape(String place, String end, Tensor tensor, int rank) {
    boolean first = end.equals(LORA_A) || end.equals(EMBEDDING_A);
    boolean matrix = tensor.shape().rank() == 2 && tensor.dtype().isFloating();
    String wanted = first ? "(" + rank + ",inputs)" : "(outputs," + rank + ")";
    if (!matrix || tensor.dim(first ? 0 : 1) != rank || tensor.elements() == 0) {
      throw mismatch(
          place,
          "its shape does not fit the configuration's rank",
          "floating point " + wanted,
          tensor.toString());
    }
  }

  /** The name in the base model of the module whose pair a key belongs to; null for other keys. */
  public static String pairModule(String key) {
    for (List<String> pair : PAIRS) {
      for (String end : pair) {
        if (key.startsWith(PREFIX) && key.endsWith(end) && key.length() > PREFIX.length() + end.length()) {
          return key.substring(PREFIX.length(), key.length() - end.length());
        }
      }
    }
    return null;
  }

  private static FormatException mismatch(
      String where, String problem, String expected, String got) {
    return new FormatException(
        Kind.ADAPTER_MISMATCH,
        where,
        problem,
        expected,
        got,
        "Check that " + CONFIG + " and " + WEIGHTS + " belong together");
  }
}
