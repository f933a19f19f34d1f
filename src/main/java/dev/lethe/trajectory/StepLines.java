package dev.lethe.trajectory;

import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Lines of steps.jsonl. Weights are left out where all are 1/(number of slots), parts where they are cut by
 * the batch size alone.
 */
final class StepLines {
  private static final Set<String> FIELDS = Set.of("rate", "rows", "weights", "parts");

  private StepLines() {}

  /**
   * A step as it was run.
   *
   * @param partEnds where its slots are cut into forward passes; null where nobody said
   */
  record Line(LoggedStep step, int[] partEnds) {}

  static String write(Line line, int batchSize) {
    LoggedStep step = line.step;
    ObjectNode json = StrictJson.newObject().put("rate", step.rate());
    put(json.putArray("rows"), step.rows());
    if (!Arrays.equals(step.weights(), mean(step.rows().length))) {
      ArrayNode weights = json.putArray("weights");
      Arrays.stream(step.weights()).forEach(weights::add);
    }
    if (line.partEnds != null
        && !Arrays.equals(line.partEnds, blocks(step.rows().length, batchSize))) {
      put(json.putArray("parts"), line.partEnds);
    }
    return json.toString();
  }

  private static void put(ArrayNode array, int[] values) {
    Arrays.stream(values).forEach(array::add);
  }

  /** @param rows number of rows that places may name */
  static Line read(String text, String where, int rows) {
    if (!(StrictJson.parse(text, where) instanceof ObjectNode object)) {
      throw wrong(where, "a step is no JSON object", "an object", text);
    }
    JsonFields f = new JsonFields(object, where);
    for (String name : object.propertyNames()) {
      if (!FIELDS.contains(name)) {
        throw wrong(where, "a field is unknown", String.join(", ", FIELDS), "'" + name + "'");
      }
    }
    f.required("rate");
    double rate = f.numberOr("rate", 0, 0, Double.MAX_VALUE);
    int[] places = integers(f, "rows", 0, rows - 1);
    if (places.length == 0) {
      throw wrong(where, "a step has no rows", "at least one slot", "none");
    }
    double[] weights = f.has("weights") ? weights(f, places.length) : mean(places.length);
    int[] parts = f.has("parts") ? integers(f, "parts", 1, places.length) : null;
    if (parts != null && !cuts(parts, places.length)) {
      throw wrong(
          where, "the parts do not cut the rows of the step",
          "growing ends, the last " + places.length, Arrays.toString(parts));
    }
    return new Line(new LoggedStep(rate, places, weights), parts);
  }

  /** The ends of parts of a batch size each. */
  static int[] blocks(int slots, int batchSize) {
    int count = Math.ceilDiv(slots, batchSize);
    return IntStream.rangeClosed(1, count)
        .map(i -> (int) Math.min(slots, (long) i * batchSize))
        .toArray();
  }

  private static double[] mean(int slots) {
    double[] weights = new double[slots];
    Arrays.fill(weights, 1.0 / slots);
    return weights;
  }

  private static boolean cuts(int[] ends, int slots) {
    boolean growing = IntStream.range(1, ends.length).allMatch(i -> ends[i] > ends[i - 1]);
    return ends.length > 0 && growing && ends[ends.length - 1] == slots;
  }

  private static int[] integers(JsonFields f, String field, int min, int max) {
    f.required(field);
    return f.oneOrMoreIntegers(field, min, max).stream().mapToInt(Integer::intValue).toArray();
  }

  private static double[] weights(JsonFields f, int slots) {
    JsonNode array = f.required("weights");
    double[] weights = new double[slots];
    if (!array.isArray() || array.size() != slots) {
      throw wrong(
          f.where(), "a step has not one weight a row", slots + " weights",
          array.isArray() ? array.size() + " weights" : "another value");
    }
    for (int i = 0; i < slots; i++) {
      weights[i] = array.get(i).isNumber() ? array.get(i).doubleValue() : Double.NaN;
      if (!Double.isFinite(weights[i])) {
        throw wrong(f.where(), "a weight is no number", "a finite number", array.get(i).toString());
      }
    }
    return weights;
  }

  private static FormatException wrong(
      String where, String problem, String expected, String got) {
    return new FormatException(
        FormatException.Kind.UNSUPPORTED, where, problem, expected, got,
        "See docs/trajectory.md, and write the trajectory again.");
  }
}
