package dev.lethe.format.huggingface;

import dev.lethe.Lifetime;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.format.safetensors.ShardIndex;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/**
 * A Hugging Face model folder: {@code config.json} and either {@code model.safetensors} or, where
 * that is absent, {@code model.safetensors.index.json} with its shards. Weights are views into
 * mapped files and die with {@link #close}. Shards must be plain files of the folder and hold
 * exactly the tensors that the index says.
 */
public final class HfModelFolder implements ModelFiles {
  static final long MAX_CONFIG_BYTES = 4 << 20;
  private static final long MAX_INDEX_BYTES = 64 << 20;
  private static final String CONFIG = "config.json";
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final String GENERATION = "generation_config.json";
  private static final String ADAPTER = "adapter_config.json";
  private static final System.Logger LOG = System.getLogger(HfModelFolder.class.getName());

  private final Lifetime lifetime;
  private final Path path;
  private final ObjectNode configJson;
  private final HfConfig config;
  private final Map<String, SafeTensors> shards;
  private final Map<String, SafeTensors> homes;
  private final Map<String, Nf4Weight> packed;
  private String sha256;

  private HfModelFolder(
      Path path,
      ObjectNode configJson,
      HfConfig config,
      Map<String, SafeTensors> shards,
      Map<String, SafeTensors> homes) {
    this.lifetime = new Lifetime("model folder " + path);
    this.path = path;
    this.configJson = configJson;
    this.config = config;
    this.shards = shards;
    this.packed = Nf4Weight.of(config.nf4(), homes, path.toString());
    this.homes = homes;
  }

  /** Opens a folder and validates its configuration, its index and all headers. */
  public static HfModelFolder open(Path dir) {
    if (!Files.isDirectory(dir)) {
      throw new FormatException(
          Kind.FILE_MISSING,
          dir.toString(),
          "there is no such model folder",
          "a folder with " + CONFIG + " and " + SINGLE,
          Files.exists(dir) ? "a file" : "nothing",
          "Check the path; Lethe downloads nothing");
    }
    ObjectNode json = StrictJson.readObject(dir.resolve(CONFIG), MAX_CONFIG_BYTES);
    HfConfig config =
        withGenerationEos(dir, HfConfig.parse(json, dir.resolve(CONFIG).toString()));
    if (Files.exists(dir.resolve(ADAPTER))) {
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: {1} is no part of the model here; transformers would add that adapter (--adapter does it)",
          dir,
          ADAPTER);
    }
    Map<String, SafeTensors> shards = new LinkedHashMap<>();
    try {
      Map<String, SafeTensors> homes = new LinkedHashMap<>(openShards(dir, shards));
      HfModelFolder folder = new HfModelFolder(dir, json, config, Map.copyOf(shards), homes);
      shards.clear();
      return folder;
    } finally {
      shards.values().forEach(SafeTensors::close);
    }
  }

  @Override
  public HfConfig config() {
    lifetime.requireOpen();
    return config;
  }

  @Override
  public ObjectNode configJson() {
    lifetime.requireOpen();
    return configJson.deepCopy();
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public Tensor tensor(String name) {
    lifetime.requireOpen();
    SafeTensors home = homes.get(name);
    if (home == null) {
      throw new FormatException(
          Kind.UNKNOWN_TENSOR,
          path.toString(),
          "the model has no such weight",
          "'" + name + "'",
          homes.size() + " others",
          "Check that " + CONFIG + " and the weights belong together");
    }
    return packed.containsKey(name) ? packed.get(name).tensor() : home.get(name);
  }

  @Override
  public DType dtype(String name) {
    lifetime.requireOpen();
    return packed.containsKey(name) ? packed.get(name).dtype() : tensor(name).dtype();
  }

  @Override
  public Shape shape(String name) {
    lifetime.requireOpen();
    return packed.containsKey(name) ? packed.get(name).shape() : tensor(name).shape();
  }

  @Override
  public Set<String> tensorNames() {
    lifetime.requireOpen();
    return Collections.unmodifiableSet(homes.keySet());
  }

  @Override
  public synchronized String sha256() {
    lifetime.requireOpen();
    if (sha256 == null) {
      List<Path> files = new ArrayList<>(List.of(path.resolve(CONFIG)));
      shards.keySet().stream().sorted().map(path::resolve).forEach(files::add);
      sha256 = Sha256.ofFiles(files);
    }
    return sha256;
  }

  @Override
  public void close() {
    lifetime.end();
    shards.values().forEach(SafeTensors::close);
  }

  private static Map<String, SafeTensors> openShards(Path dir, Map<String, SafeTensors> shards) {
    boolean indexed = Files.exists(dir.resolve(INDEX));
    if (!Files.exists(dir.resolve(SINGLE))) {
      if (!indexed) {
        throw noWeights(dir);
      }
      return ShardIndex.open(
          dir, StrictJson.readObject(dir.resolve(INDEX), MAX_INDEX_BYTES), INDEX, shards);
    }
    if (indexed) {
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: {1} is not read, because {2} is there, as in transformers",
          dir,
          INDEX,
          SINGLE);
    }
    SafeTensors single = SafeTensors.open(dir.resolve(SINGLE));
    shards.put(SINGLE, single);
    Map<String, SafeTensors> homes = new LinkedHashMap<>();
    single.names().forEach(name -> homes.put(name, single));
    return homes;
  }

  /** The tokens that end a text are those of generation_config.json, where it names some. */
  private static HfConfig withGenerationEos(Path dir, HfConfig config) {
    Path file = dir.resolve(GENERATION);
    if (!Files.exists(file)) {
      return config;
    }
    JsonFields f =
        new JsonFields(StrictJson.readObject(file, MAX_CONFIG_BYTES), file.toString());
    return f.has("eos_token_id")
        ? config.withEosTokenIds(TokenIds.oneOrMore(f, "eos_token_id", -1))
        : config;
  }

  private static FormatException noWeights(Path dir) {
    List<String> pickles = pickles(dir);
    boolean pickle = !pickles.isEmpty();
    return new FormatException(
        pickle ? Kind.PICKLE : Kind.FILE_MISSING,
        dir.toString(),
        pickle ? "the weights are in pickle form, which runs code when read" : "no weights",
        SINGLE + " or " + INDEX,
        pickle ? pickles.getFirst() : "neither",
        pickle
            ? "Convert them with save_pretrained(…, safe_serialization=True)"
            : "Fetch the whole model");
  }

  /** The pickle files of a folder, sorted. */
  static List<String> pickles(Path dir) {
    Collection<String> suffixes = List.of(".bin", ".pt", ".pth", ".pkl", ".ckpt");
    try (var files = Files.list(dir)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> suffixes.stream().anyMatch(name::endsWith))
          .filter(name -> !name.equals("training_args.bin"))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw StrictJson.unreadable(dir, e);
    }
  }
}
