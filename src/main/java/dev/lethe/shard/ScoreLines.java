package dev.lethe.shard;

import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Influence scores as lines of JSON, one a query. */
public final class ScoreLines {
  static final String QUERY = "query";
  static final String RESIDUAL = "residual";
  static final String IDS = "ids";
  static final String SCORES = "scores";
  static final String PLACE = "place";
  static final String FIRST = "first";

  private ScoreLines() {}

  /**
   * The scores of rows for a query.
   *
   * @param residual of the query's solve
   */
  public static ObjectNode of(Sample query, double residual, List<Sample> rows, double[] scores) {
    ObjectNode json = empty(query.id(), residual);
    ArrayNode ids = (ArrayNode) json.get(IDS);
    rows.forEach(row -> ids.add(row.id()));
    ArrayNode values = (ArrayNode) json.get(SCORES);
    for (double score : scores) {
      values.add(score);
    }
    return json;
  }

  /** The line of a query with the scores of no row yet. */
  static ObjectNode empty(String query, double residual) {
    ObjectNode json = StrictJson.newObject().put(QUERY, query).put(RESIDUAL, residual);
    json.putArray(IDS);
    json.putArray(SCORES);
    return json;
  }

  /** The first line of a shard. */
  public static String header(ShardHeader header) {
    ObjectNode json = StrictJson.newObject();
    ObjectNode fields = json.putObject(ShardHeader.NAME);
    header.toMap().forEach(fields::put);
    return StrictJson.line(json);
  }

  /**
   * A line of a shard: {@link #of} of some rows, and where they belong.
   *
   * @param place of the query among all
   * @param first the place of the first of the rows among all
   */
  public static String part(ObjectNode scores, int place, int first) {
    return StrictJson.line(scores.put(PLACE, place).put(FIRST, first));
  }
}
