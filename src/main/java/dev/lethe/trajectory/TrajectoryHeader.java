package dev.lethe.trajectory;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingRecord;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The file trajectory.json.
 *
 * @param steps K
 * @param parameters P
 * @param dtype of the gradients
 * @param configSha256 of the bytes of adapter_config.json
 * @param adapterSha256 of the bytes of adapter_model.safetensors, the adapter that the training ended with
 * @param layout the matrices in the order in which gradients hold them
 */
record TrajectoryHeader(
    Provenance provenance,
    int steps,
    long parameters,
    DType dtype,
    String configSha256,
    String adapterSha256,
    List<Parameter> layout) {
  private static final long MAX_BYTES = 1 << 26;
  private static final List<String> REQUIRED =
      List.of(
          "trained_by", "steps", "parameters", "dtype", "options", "prompt_form", "row_key",
          "model_sha256", "adapter_config_sha256", "adapter_sha256", "layout");
  private static final Set<String> OPTIONAL = Set.of("format", "data_sha256", "edits", "chain");
  private static final Set<String> FOREIGN_OPTIONS =
      Set.of(
          "optimizer", "beta1", "beta2", "epsilon", "momentum", "weight_decay", "clip");

  void write(Path file) {
    ObjectNode json = StrictJson.newObject().put("format", TrajectoryFiles.FORMAT);
    json.put("trained_by", provenance.trainedBy())
        .put("steps", steps)
        .put("parameters", parameters)
        .put("dtype", TrajectoryFiles.name(dtype));
    json.set(
        "options",
        provenance.foreign() ? foreign(provenance.options()) : provenance.options().toJson());
    json.put("prompt_form", provenance.promptForm())
        .put("model_sha256", provenance.modelSha256());
    if (!provenance.dataSha256().isEmpty()) {
      json.put("data_sha256", provenance.dataSha256());
    }
    json.put("adapter_config_sha256", configSha256)
        .put("adapter_sha256", adapterSha256)
        .put("row_key", provenance.rowKey());
    if (!provenance.edits().equals(TrainingRecord.Edits.NONE)) {
      json.set("edits", provenance.edits().toJson());
    }
    ArrayNode chain = json.putArray("chain");
    provenance.chain().forEach(chain::add);
    ArrayNode places = json.putArray("layout");
    for (Parameter p : layout) {
      ObjectNode place = places.addObject().put("name", p.name());
      place.putArray("shape").add(p.shape().dim(0)).add(p.shape().dim(1));
      place.put("offset", p.offset());
    }
    AtomicFiles.writeText(file, StrictJson.write(json));
  }

  static TrajectoryHeader read(Path file) {
    JsonFields f = new JsonFields(StrictJson.readObject(file, MAX_BYTES), file.toString());
    String format = f.stringOr("format", "nothing");
    if (!format.equals(TrajectoryFiles.FORMAT)) {
      throw wrong(
          f, "the trajectory is of another version", TrajectoryFiles.FORMAT, format,
          "Use the version of Lethe that wrote it, or train again.");
    }
    requireFields(f);
    boolean foreign = !f.stringOr("trained_by", "").equals(Provenance.LETHE);
    JsonFields options = f.objectOrNull("options");
    return new TrajectoryHeader(
        new Provenance(
            foreign ? foreignOptions(options) : TrainOptions.fromJson(options),
            f.stringOr("prompt_form", ""),
            f.stringOr("model_sha256", ""),
            f.stringOr("data_sha256", ""),
            hex(f, "row_key"),
            f.stringOr("trained_by", ""),
            TrainingRecord.Edits.fromJson(f.objectOrNull("edits")),
            f.strings("chain")),
        (int) f.integer("steps", 0, Integer.MAX_VALUE),
        f.integer("parameters", 1, Long.MAX_VALUE / Double.BYTES),
        TrajectoryFiles.dtype(f.stringOr("dtype", ""), f.where() + ": dtype"),
        f.stringOr("adapter_config_sha256", ""),
        f.stringOr("adapter_sha256", ""),
        layout(f));
  }

  private static void requireFields(JsonFields f) {
    List<String> missing = REQUIRED.stream().filter(name -> !f.has(name)).toList();
    if (!missing.isEmpty()) {
      throw new FormatException(
          FormatException.Kind.MISSING_FIELD, f.where(), "the trajectory lacks fields",
          "'" + String.join("', '", missing) + "'", null,
          "See docs/trajectory.md, and write the trajectory with them.");
    }
    Set<String> unknown = new TreeSet<>(f.node().propertyNames());
    unknown.removeAll(REQUIRED);
    unknown.removeAll(OPTIONAL);
    requireNone(f, unknown);
  }

  private static void requireNone(JsonFields f, Set<String> unknown) {
    if (!unknown.isEmpty()) {
      throw wrong(
          f, "the trajectory has fields that Lethe does not know", "those of docs/trajectory.md",
          "'" + String.join("', '", unknown) + "'",
          "Remove them, or use the version of Lethe that wrote them.");
    }
  }

  private static ObjectNode foreign(TrainOptions o) {
    ObjectNode json = StrictJson.newObject().put("optimizer", o.optimizer().label());
    if (o.optimizer() == OptimizerKind.ADAMW) {
      json.put("beta1", o.beta1()).put("beta2", o.beta2()).put("epsilon", o.epsilon());
    } else {
      json.put("momentum", o.momentum());
    }
    return json.put("weight_decay", o.weightDecay()).put("clip", o.clip());
  }

  private static TrainOptions foreignOptions(JsonFields f) {
    f.required("optimizer");
    OptimizerKind kind = OptimizerKind.of(f.stringOr("optimizer", ""));
    TrainOptions.Builder options = TrainOptions.builder().optimizer(kind);
    if (kind == OptimizerKind.ADAMW) {
      options.betas(number(f, "beta1"), number(f, "beta2")).epsilon(number(f, "epsilon"));
    } else {
      options.momentum(number(f, "momentum"));
    }
    Set<String> unknown = new TreeSet<>(f.node().propertyNames());
    unknown.removeAll(FOREIGN_OPTIONS);
    requireNone(f, unknown);
    return options.weightDecay(number(f, "weight_decay")).clip(number(f, "clip")).build();
  }

  private static double number(JsonFields f, String field) {
    f.required(field);
    return f.numberOr(field, 0, 0, Double.MAX_VALUE);
  }

  private static String hex(JsonFields f, String field) {
    String text = f.stringOr(field, "");
    if (!text.matches("([0-9a-f]{2}){16,64}")) {
      throw wrong(
          f, "'" + field + "' is no key", "16 to 64 bytes as lower-case hexadecimal digits", text,
          "Write the key that the row hashes were made with.");
    }
    return text;
  }

  private static List<Parameter> layout(JsonFields f) {
    List<Parameter> layout = new ArrayList<>();
    for (JsonNode place : f.required("layout")) {
      JsonNode shape = place.path("shape");
      boolean whole =
          place.path("name").isString()
              && isLong(place.path("offset"))
              && shape.size() == 2
              && isLong(shape.get(0))
              && isLong(shape.get(1));
      if (!whole) {
        throw wrong(
            f, "an entry of 'layout' is incomplete", "name, shape of two numbers and offset",
            place.toString(), "See docs/trajectory.md, and write the trajectory again.");
      }
      layout.add(
          new Parameter(
              place.get("name").stringValue(),
              Shape.of(shape.get(0).longValue(), shape.get(1).longValue()),
              place.get("offset").longValue()));
    }
    return layout;
  }

  private static boolean isLong(JsonNode value) {
    return value.isIntegralNumber() && value.canConvertToLong();
  }

  /**
   * For each matrix of the model's own layout, where gradients of this trajectory hold it; null where the
   * layouts are the same.
   */
  List<Parameter> permutation(ParameterLayout own, Path file) {
    if (own.parameters().equals(layout) && own.size() == parameters) {
      return null;
    }
    List<Parameter> found = new ArrayList<>();
    for (Parameter p : own.parameters()) {
      found.add(
          layout.stream()
              .filter(l -> l.name().equals(p.name()) && l.shape().equals(p.shape()))
              .findFirst()
              .orElseThrow(
                  () -> otherAdapter(file, "'" + p.name() + "' " + p.shape(), "no such matrix")));
    }
    List<Parameter> sorted = new ArrayList<>(found);
    sorted.sort(Comparator.comparingLong(Parameter::offset));
    long at = 0;
    for (Parameter p : sorted) {
      if (p.offset() != at) {
        throw otherAdapter(
            file, "matrices without gaps or overlaps", "'" + p.name() + "' at " + p.offset());
      }
      at += p.shape().elements();
    }
    if (layout.size() != found.size() || at != parameters) {
      throw otherAdapter(
          file, Text.format("%d matrices of %,d parameters", found.size(), own.size()),
          Text.format("%d of %,d", layout.size(), parameters));
    }
    return found;
  }

  private static FormatException otherAdapter(Path file, String expected, String got) {
    return new FormatException(
        FormatException.Kind.ADAPTER_MISMATCH, file + ": layout",
        "the trajectory belongs to another adapter or model", expected, got,
        "Use the adapter's own folder and base model.");
  }

  private static FormatException wrong(
      JsonFields f, String problem, String expected, String got, String remedy) {
    return new FormatException(
        FormatException.Kind.UNSUPPORTED, f.where(), problem, expected, got, remedy);
  }
}
