package dev.lethe.replay.prepare;

import dev.lethe.LetheException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import tools.jackson.databind.node.ObjectNode;

/**
 * How finely operators are fitted, which decides what preparing costs.
 *
 * @param sketchRows sampled gradients in all, at least
 * @param draws sampled gradients of a row in a visited step; more where the run has too few steps
 * @param visitedShare part of the run's rows that visited steps hold, at least
 * @param groupVisits visited steps that make a part of the result, and over which weight gradients are
 *     averaged
 * @param rank at which gradients of full weights are kept
 * @param seed of labels
 */
public record PreparationSettings(
    int sketchRows, int draws, double visitedShare, int groupVisits, int rank, long seed) {
  /**
   * 2,400 sampled gradients, two of a row, 10 % of the run's rows, groups of 15 steps, rank 16. A
   * preparation costs 7/3 sample gradients for each visited row: 2.3 trainings of 400 rows for three
   * epochs. A long run needs 5/3 only, 0.17 of a training of 4,000.
   */
  public static final PreparationSettings DEFAULT =
      new PreparationSettings(2400, 2, 0.1, 15, 16, 0);

  public PreparationSettings {
    requirePositive("sketch rows", sketchRows);
    requirePositive("draws", draws);
    requirePositive("visits of a group", groupVisits);
    requirePositive("rank", rank);
    if (!(visitedShare >= 0 && visitedShare <= 1)) {
      throw refused("visited share", "0 to 1", Double.toString(visitedShare));
    }
  }

  /** The same with another seed. */
  public PreparationSettings withSeed(long other) {
    return new PreparationSettings(sketchRows, draws, visitedShare, groupVisits, rank, other);
  }

  /** The same with another size of the sketch, and no more steps than it needs. */
  public PreparationSettings withSketchRows(int rows) {
    return new PreparationSettings(rows, draws, 0, groupVisits, rank, seed);
  }

  ObjectNode toJson() {
    return StrictJson.newObject()
        .put("sketch_rows", sketchRows)
        .put("draws", draws)
        .put("visited_share", visitedShare)
        .put("group_visits", groupVisits)
        .put("rank", rank)
        .put("seed", seed);
  }

  static PreparationSettings fromJson(JsonFields f) {
    f.required("visited_share");
    return new PreparationSettings(
        (int) f.integer("sketch_rows", 1, Integer.MAX_VALUE),
        (int) f.integer("draws", 1, Integer.MAX_VALUE),
        f.numberOr("visited_share", 0, 0, 1),
        (int) f.integer("group_visits", 1, Integer.MAX_VALUE),
        (int) f.integer("rank", 1, Integer.MAX_VALUE),
        f.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE));
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
