package dev.lethe.replay.prepare;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ObjectNode;

/**
 * The files of prepared operators. The header says what they belong to and how they are fitted; every
 * part is a file of its own, which appears whole or not at all and names the rows that it was made from.
 */
record OperatorFiles(Path dir) {
  /** Tensor of the places of a part's rows, in all parts. */
  static final String PLACES = "places";

  private static final String FORMAT = "lethe-operators/1";
  private static final long MAX_BYTES = 1 << 20;

  Path header() {
    return dir.resolve("operators.json");
  }

  /** Sampled gradients of a group of visits: {@code rows} (N,P) BF16. */
  Path sketch(int group) {
    return dir.resolve(Text.format("sketch-%04d.safetensors", group));
  }

  /** Sums for EK-FAC's bases. */
  Path factors(int group) {
    return dir.resolve(Text.format("factors-%04d.safetensors", group));
  }

  /** Gradients of the full weights at each of its steps. */
  Path weights(int group) {
    return dir.resolve(Text.format("weights-%04d.safetensors", group));
  }

  /** Their means, which come from the weights of all groups. */
  Path means() {
    return dir.resolve("means.safetensors");
  }

  /** EK-FAC, which comes from sketch and factors. */
  Path ekfac() {
    return dir.resolve("ekfac.safetensors");
  }

  /** Leading directions of the sketch, which come from all of it. */
  Path directions() {
    return dir.resolve("directions.safetensors");
  }

  /** What operators depend on besides their settings, by the name that an error uses. */
  static Map<String, String> identity(TrainingLog log, AdaptedModel model) {
    Map<String, String> identity = new LinkedHashMap<>();
    identity.put("model", model.model().sha256());
    identity.put("trajectory", trajectory(log));
    return identity;
  }

  /** A hash of the run: its start, its options, its rows and steps, and its first and last gradient. */
  private static String trajectory(TrainingLog log) {
    Sha256 hash = Sha256.start().add(log.initial()).add(log.options().toString());
    for (LoggedRow row : log.rows()) {
      hash.add(row.id()).add(row.hash());
    }
    for (int k = 0; k < log.steps(); k++) {
      LoggedStep step = log.step(k);
      hash.add(Double.toString(step.rate())).add(step.rows());
      hash.add(Tensor.of(Shape.of(step.weights().length), step.weights()));
    }
    if (log.steps() > 0) {
      hash.add(log.gradient(0)).add(log.gradient(log.steps() - 1));
    }
    return hash.hex();
  }

  /** Writes the header of an empty folder. */
  void create(Map<String, String> identity, PreparationSettings settings) {
    ObjectNode json = StrictJson.newObject().put("format", FORMAT);
    ObjectNode parts = json.putObject("identity");
    identity.forEach(parts::put);
    json.set("settings", settings.toJson());
    AtomicFiles.writeText(header(), StrictJson.write(json));
  }

  boolean exist() {
    return Files.exists(header());
  }

  /**
   * The settings of the folder.
   *
   * @throws LetheException where it belongs to another run or model
   */
  PreparationSettings open(Map<String, String> identity) {
    JsonFields f =
        new JsonFields(StrictJson.readObject(header(), MAX_BYTES), header().toString());
    String format = f.text("format");
    if (!format.equals(FORMAT)) {
      throw other("are of another version", FORMAT, format);
    }
    f.required("identity");
    JsonFields stored = f.objectOrNull("identity");
    identity.forEach(
        (what, expected) -> {
          String got = stored.text(what);
          if (!got.equals(expected)) {
            throw other("belong to another " + what, expected, got);
          }
        });
    f.required("settings");
    return PreparationSettings.fromJson(f.objectOrNull("settings"));
  }

  private LetheException other(String problem, String expected, String got) {
    return new LetheException(
        dir.toString(), "these prepared operators " + problem, expected, got,
        "Delete the folder, or name another with --operators; lethe prepare makes them anew.");
  }

  /** Deletes what comes from several parts, which is no longer true when one of them changes. */
  void deleteDerived() {
    try {
      for (Path file : List.of(ekfac(), directions(), means())) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The name of the tensor of a step's places. */
  static String placesOf(int step) {
    return Text.format("step-%08d/%s", step, PLACES);
  }

  /** The places of a part's rows. */
  static int[] places(Tensor tensor) {
    return IntStream.range(0, Math.toIntExact(tensor.elements()))
        .map(i -> (int) tensor.get(i))
        .toArray();
  }

  static Tensor places(int[] places) {
    return Tensor.of(Shape.of(places.length), places);
  }
}
