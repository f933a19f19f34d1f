package dev.lethe.nn;

import dev.lethe.RealData;
import dev.lethe.backend.Backend;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.frozen.FrozenModel;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** One case of {@code tests/resources/golden}, opened on a backend. */
public final class Golden implements AutoCloseable {
  private static final Path ROOT = Path.of("tests/resources/golden");

  public final JsonNode json;
  final ModelFiles folder;
  final LanguageModel model;
  public final LoraAdapter adapter;
  public final AdaptedModel adapted;
  public final List<Sample> samples;
  private final Path dir;
  private final SafeTensors tensors;

  private Golden(Path dir, Path modelDir, String tensorFile, Backend backend) {
    this.dir = dir;
    this.json = readJson(dir.resolve("golden.json"));
    this.folder = FrozenModel.of(HfModelFolder.open(modelDir), dir.resolve("adapter"), backend.vectorType());
    this.model = LanguageModel.open(folder, backend);
    try (PeftFolder peft = PeftFolder.open(dir.resolve("adapter"))) {
      this.adapter = LoraAdapter.open(peft, model);
    }
    this.adapted = new AdaptedModel(model, adapter);
    Path rows = dir.resolve("samples.jsonl");
    this.samples =
        new Encoder(null, null, model.spec().maxPositions())
            .encode(DatasetReader.read(rows), rows.toString());
    this.tensors = SafeTensors.open(dir.resolve(tensorFile));
  }

  /** A tiny random model, whose weights are committed. */
  public static Golden variant(String name, Backend backend) {
    Path dir = ROOT.resolve(name);
    return new Golden(dir, dir, "golden.safetensors", backend);
  }

  /** The trained model, which lies under LETHE_DATA; skips the test where it does not. */
  public static Golden stories(Backend backend) {
    return new Golden(
        ROOT.resolve("stories_lora"),
        RealData.require("stories260K"),
        "golden_f64.safetensors",
        backend);
  }

  /** Golden tensors under a kind, by PEFT name. */
  Map<String, Tensor> kind(String kind) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      if (name.startsWith(kind + "/")) {
        named.put(name.substring(kind.length() + 1), tensors.get(name));
      }
    }
    return named;
  }

  /** Logits of row 0, (T,V). */
  Tensor logits() {
    return tensors.get("logits");
  }

  /** Direction number i of the case as (1,P). */
  Tensor direction(int i, Scope scope) {
    Backend backend = model.backend();
    Tensor v = scope.allocate(backend.vectorType(), 1, adapter.layout().size());
    Path file = dir.resolve("vector" + i + ".safetensors");
    try (SafeTensors vector = SafeTensors.open(file)) {
      Map<String, Tensor> named = new LinkedHashMap<>();
      vector.names().forEach(name -> named.put(name, vector.get(name)));
      adapter.layout().fromHost(backend, named, v.row(0), file.toString());
    }
    return v;
  }

  /** Relative distance in the norm over all tensors of a kind. */
  public double error(String kind, Tensor flat) {
    Map<String, Tensor> expected = kind(kind);
    Map<String, Tensor> got = adapter.layout().toHost(model.backend(), flat);
    if (!expected.keySet().equals(got.keySet())) {
      throw new AssertionError(kind + ": names differ: " + expected.keySet() + got.keySet());
    }
    double difference = 0;
    double size = 0;
    for (String name : expected.keySet()) {
      difference += square(got.get(name).toDoubles(), expected.get(name).toDoubles());
      size += square(expected.get(name).toDoubles(), null);
    }
    return Math.sqrt(difference / size);
  }

  /** ‖got − expected‖/‖expected‖. */
  public static double relative(double[] got, double[] expected) {
    return Math.sqrt(square(got, expected) / square(expected, null));
  }

  /** ‖x − y‖², or ‖x‖² where y is null. */
  private static double square(double[] x, double[] y) {
    if (y != null && x.length != y.length) {
      throw new AssertionError("lengths " + x.length + " and " + y.length);
    }
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      double d = y == null ? x[i] : x[i] - y[i];
      sum += d * d;
    }
    return sum;
  }

  static double[] doubles(JsonNode array) {
    double[] values = new double[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).doubleValue();
    }
    return values;
  }

  static int[] ints(JsonNode array) {
    int[] values = new int[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).intValue();
    }
    return values;
  }

  private static JsonNode readJson(Path file) {
    try {
      return new ObjectMapper().readTree(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    tensors.close();
    adapter.close();
    model.close();
    folder.close();
  }
}
