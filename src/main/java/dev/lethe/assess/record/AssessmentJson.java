package dev.lethe.assess.record;

import dev.lethe.assess.metric.Estimate;
import dev.lethe.format.StrictJson;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** An assessment as JSON; docs/formats.md describes the fields. */
public final class AssessmentJson {
  /** What the file says it is. */
  public static final String FORMAT = "lethe-assessment/1";

  private AssessmentJson() {}

  /** The whole record. */
  public static ObjectNode of(AssessmentRecord record) {
    ObjectNode json = StrictJson.newObject();
    json.put("format", FORMAT).put("created", record.created().toString());
    map(json.putObject("environment"), record.environment());
    map(json.putObject("hashes"), record.hashes());
    ObjectNode request = json.putObject("request");
    request
        .put("rows", record.request().rows())
        .put("removed", record.request().removed())
        .put("replaced", record.request().replaced());
    texts(request.putArray("ids"), record.request().ids());
    ArrayNode adapters = json.putArray("adapters");
    for (AssessmentRecord.Adapter adapter : record.adapters()) {
      adapters
          .addObject()
          .put("role", adapter.role())
          .put("name", adapter.name())
          .put("sha256", adapter.sha256())
          .put("method", adapter.method());
    }
    ArrayNode rows = json.putArray("rows");
    record.rows().forEach(g -> rows.addObject().put("group", g.group()).put("rows", g.rows()).put("of", g.of()));
    json.putObject("drawing").put("seed", record.seed()).put("draws", record.draws());
    texts(json.putArray("headline"), record.headline());
    ObjectNode sections = json.putObject("sections");
    record.sections().forEach(section -> section(sections.putObject(section.key()), section));
    ArrayNode curves = json.putArray("curves");
    for (Curve curve : record.curves()) {
      ObjectNode node = curves.addObject().put("name", curve.name());
      numbers(node.putArray("falseShare"), curve.falseShare());
      numbers(node.putArray("trueShare"), curve.trueShare());
    }
    ArrayNode shown = json.putArray("texts");
    for (ShownText text : record.texts()) {
      shown
          .addObject()
          .put("group", text.group())
          .put("id", text.id())
          .put("query", text.query())
          .put("truth", text.truth())
          .put("original", text.original())
          .put("unlearned", text.unlearned())
          .put("retrained", text.retrained());
    }
    texts(json.putArray("limits"), record.limits());
    return json;
  }

  private static void section(ObjectNode json, Section section) {
    json.put("title", section.title()).put("meaning", section.meaning());
    texts(json.putArray("remarks"), section.remarks());
    ObjectNode lines = json.putObject("lines");
    for (Section.Line line : section.lines()) {
      ObjectNode node = lines.putObject(line.name());
      for (int i = 0; i < section.columns().size(); i++) {
        estimate(node.putObject(section.columns().get(i)), line.cells().get(i));
      }
      node.put("note", line.note());
    }
  }

  private static void estimate(ObjectNode json, Estimate estimate) {
    number(json, "value", estimate.value());
    number(json, "low", estimate.low());
    number(json, "high", estimate.high());
    json.put("rows", estimate.rows()).put("note", estimate.note());
  }

  /** JSON has no NaN: null is no number. */
  private static void number(ObjectNode json, String name, double value) {
    if (Double.isFinite(value)) {
      json.put(name, value);
    } else {
      json.putNull(name);
    }
  }

  private static void numbers(ArrayNode array, double[] values) {
    for (double value : values) {
      array.add(value);
    }
  }

  private static void texts(ArrayNode array, List<String> values) {
    values.forEach(array::add);
  }

  private static void map(ObjectNode json, Map<String, String> values) {
    values.forEach(json::put);
  }
}
