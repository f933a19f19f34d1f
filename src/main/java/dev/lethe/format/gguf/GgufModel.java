package dev.lethe.format.gguf;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.Sha256;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/** A GGUF file as a base model: with the names, the configuration and the order of rows of a Hugging Face folder. */
public final class GgufModel implements ModelFiles {
  private final GgufFile file;
  private final ObjectNode configJson;
  private final HfConfig config;
  private final boolean inPairs;
  private final Map<String, String> homes;
  private String sha256;

  private GgufModel(
      GgufFile file, ObjectNode configJson, boolean inPairs, Map<String, String> homes) {
    this.file = file;
    this.configJson = configJson;
    this.config = HfConfig.parse(configJson, file.path().toString());
    this.inPairs = inPairs;
    this.homes = homes;
  }

  /** Maps a file and validates its header and its metadata. */
  public static GgufModel open(Path path) {
    GgufFile file = GgufFile.open(path);
    try {
      GgufConfig config = new GgufConfig(file);
      Map<String, String> homes = new LinkedHashMap<>();
      for (String name : file.names()) {
        if (!name.equals(GgufNames.ROPE_FACTORS)) {
          homes.put(GgufNames.toFolder(name), name);
        }
      }
      GgufModel model = new GgufModel(file, config.json(), config.inPairs(), homes);
      file = null;
      return model;
    } finally {
      if (file != null) {
        file.close();
      }
    }
  }

  /** The metadata, as it stands in the file. */
  public Map<String, Object> metadata() {
    return file.metadata();
  }

  /** Whether the file holds a tokenizer. */
  public boolean hasTokenizer() {
    return file.metadata().containsKey("tokenizer.ggml.model");
  }

  /**
   * The file's tokenizer in the form of {@code tokenizer.json}.
   *
   * @throws dev.lethe.format.FormatException where it is of a kind that has no such form
   */
  public GgufTokenizer tokenizer() {
    return GgufTokenizer.of(new GgufMetadata(file.metadata(), Place.of(file.path())));
  }

  /** The file's chat template; null where it has none. */
  public String chatTemplate() {
    return new GgufMetadata(file.metadata(), Place.of(file.path())).stringOr("tokenizer.chat_template", null);
  }

  @Override
  public Path path() {
    return file.path();
  }

  @Override
  public HfConfig config() {
    return config;
  }

  @Override
  public ObjectNode configJson() {
    return configJson.deepCopy();
  }

  @Override
  public Tensor tensor(String name) {
    String own = home(name);
    Tensor tensor = file.get(own);
    int heads = rotaryHeads(own);
    return heads > 0 && tensor.dim(0) % (2L * heads) == 0 ? RotaryRows.toHalves(tensor, heads) : tensor;
  }

  /** Heads of a weight whose rows stand in rotary pairs; 0 for all others. */
  private int rotaryHeads(String own) {
    List<String> parts = List.of(own.split("\\."));
    if (inPairs && parts.contains("attn_q")) {
      return config.numAttentionHeads();
    }
    return inPairs && parts.contains("attn_k") ? config.numKeyValueHeads() : 0;
  }

  @Override
  public DType dtype(String name) {
    return file.get(home(name)).dtype();
  }

  @Override
  public Shape shape(String name) {
    return file.get(home(name)).shape();
  }

  private String home(String name) {
    String own = homes.get(name);
    if (own == null) {
      throw Place.of(file.path()).refuse(
          Kind.UNKNOWN_TENSOR, "the model has no such weight", Text.quote(name), homes.size() + " others");
    }
    return own;
  }

  @Override
  public Set<String> tensorNames() {
    return Collections.unmodifiableSet(homes.keySet());
  }

  @Override
  public synchronized String sha256() {
    if (sha256 == null) {
      sha256 = Sha256.ofFiles(List.of(file.path()));
    }
    return sha256;
  }

  @Override
  public void close() {
    file.close();
  }
}
