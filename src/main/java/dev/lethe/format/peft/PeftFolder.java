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
import java.util.Set;
import java.util.TreeSet;

/**
 * A PEFT adapter folder: {@code adapter_config.json} and {@code adapter_model.safetensors} with
 * keys such as {@code base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight}. A is (r,
 * in), B is (out, r). On opening, the tensors are checked against the configuration: whole pairs,
 * targeted modules, ranks, finite numbers.
 */
public final class PeftFolder implements AutoCloseable {
  /** What stands before a module's name in a key. */
  public static final String PREFIX = "base_model.model.";

  /** What follows a module's name in the key of A, (r, in). */
  public static final String LORA_A = ".lora_A.weight";

  /** What follows a module's name in the key of B, (out, r). */
  public static final String LORA_B = ".lora_B.weight";

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
    tensors.keySet().forEach(key -> modules.add(moduleOf(key, path.toString())));
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
          String module = moduleOf(key, where);
          String other = key.endsWith(LORA_A) ? PREFIX + module + LORA_B : PREFIX + module + LORA_A;
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
          requireShape(place, key, tensor, config.rankOf(module));
          FiniteCheck.require(place, tensor);
        });
  }

  private static void requireShape(String place, String key, Tensor tensor, int rank) {
    boolean matrix = tensor.shape().rank() == 2 && tensor.dtype().isFloating();
    String wanted = key.endsWith(LORA_A) ? "(" + rank + ",inputs)" : "(outputs," + rank + ")";
    if (!matrix || tensor.dim(key.endsWith(LORA_A) ? 0 : 1) != rank || tensor.elements() == 0) {
      throw mismatch(
          place,
          "its shape does not fit the configuration's rank",
          "floating point " + wanted,
          tensor.toString());
    }
  }

  /** The module's name in the base model that a key belongs to. */
  static String moduleOf(String key, String where) {
    boolean known = key.startsWith(PREFIX) && (key.endsWith(LORA_A) || key.endsWith(LORA_B));
    if (!known || key.length() <= PREFIX.length() + LORA_A.length()) {
      throw new Place(where).refuse(
          Kind.UNSUPPORTED, "this is no tensor of a LoRA pair on a linear layer",
          PREFIX + "<module>" + LORA_A + " or " + LORA_B, "'" + key + "'");
    }
    return key.substring(PREFIX.length(), key.length() - LORA_A.length());
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
