package dev.lethe.replay;

import dev.lethe.LetheException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How finely operators are fitted, which decides what preparing costs.
 *
 * @param curvatureAt where in the run, as parts of its steps, curvature is sampled
 * @param sketchRows sampled gradients in all
 * @param draws sampled gradients of a row at a place; more where there are too few rows
 * @param factorRows rows at each place that EK-FAC's bases are fitted to
 * @param weightsAt where in the run the gradient of the full weights is taken
 * @param weightRows rows of each of these gradients
 * @param rank of these gradients as kept
 * @param seed of rows and labels
 */
public record PreparationSettings(
    List<Double> curvatureAt,
    int sketchRows,
    int draws,
    int factorRows,
    List<Double> weightsAt,
    int weightRows,
    int rank,
    long seed) {
  /** As `docs/studies` chose them. */
  public static final PreparationSettings DEFAULT =
      new PreparationSettings(
          List.of(.03, .12, .3, .5, .7, .9),
          2000,
          2,
          48,
          List.of(0., .015, .03, .06, .1, .16, .25, .37, .5, .65, .8, .95),
          120,
          16,
          0);

  public PreparationSettings {
    curvatureAt = List.copyOf(curvatureAt);
    weightsAt = List.copyOf(weightsAt);
    requirePlaces("places of curvature", curvatureAt);
    requirePlaces("places of weight gradients", weightsAt);
    requirePositive("sketch rows", sketchRows);
    requirePositive("draws", draws);
    requirePositive("rows for bases", factorRows);
    requirePositive("rows of weight gradients", weightRows);
    requirePositive("rank", rank);
  }

  /** The same with another seed. */
  public PreparationSettings withSeed(long other) {
    return new PreparationSettings(
        curvatureAt, sketchRows, draws, factorRows, weightsAt, weightRows, rank, other);
  }

  /** The same with another size of the sketch. */
  public PreparationSettings withSketchRows(int rows) {
    return new PreparationSettings(
        curvatureAt, rows, draws, factorRows, weightsAt, weightRows, rank, seed);
  }

  ObjectNode toJson() {
    ObjectNode json = StrictJson.newObject();
    put(json.putArray("curvature_at"), curvatureAt);
    json.put("sketch_rows", sketchRows).put("draws", draws).put("factor_rows", factorRows);
    put(json.putArray("weights_at"), weightsAt);
    json.put("weight_rows", weightRows).put("rank", rank).put("seed", seed);
    return json;
  }

  static PreparationSettings fromJson(JsonFields f) {
    return new PreparationSettings(
        places(f, "curvature_at"),
        (int) f.integer("sketch_rows", 1, Integer.MAX_VALUE),
        (int) f.integer("draws", 1, Integer.MAX_VALUE),
        (int) f.integer("factor_rows", 1, Integer.MAX_VALUE),
        places(f, "weights_at"),
        (int) f.integer("weight_rows", 1, Integer.MAX_VALUE),
        (int) f.integer("rank", 1, Integer.MAX_VALUE),
        f.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE));
  }

  private static void put(ArrayNode array, List<Double> places) {
    places.forEach(array::add);
  }

  private static List<Double> places(JsonFields f, String field) {
    JsonNode array = f.required(field);
    List<Double> places = new ArrayList<>();
    for (JsonNode place : array) {
      if (!place.isNumber()) {
        throw f.wrongType(field, array, "a list of numbers");
      }
      places.add(place.doubleValue());
    }
    return places;
  }

  private static void requirePlaces(String what, List<Double> places) {
    if (places.isEmpty() || places.stream().anyMatch(p -> !(p >= 0 && p < 1))) {
      throw refused(what, "at least one, each from 0 to below 1", places.toString());
    }
  }

  private static void requirePositive(String what, int value) {
    if (value < 1) {
      throw refused(what, "at least 1", Integer.toString(value));
    }
  }

  private static LetheException refused(String what, String expected, String got) {
    return new LetheException(
        "preparation settings", "the " + what + " are out of range", expected, got,
        "Pass another value.");
  }
}
