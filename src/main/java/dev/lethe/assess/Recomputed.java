package dev.lethe.assess;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.AssessmentFolder;
import dev.lethe.assess.record.Section;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * An assessment's record beside what is measured again from data and adapters: first the hashes, to the letter, then every
 * number that follows from predictions.
 */
public final class Recomputed {
  private static final long MAX_BYTES = 1L << 28;

  /** How far numbers of another device or another machine may be: sums of float32 differ in their last digits. */
  private static final double NEAR = 2e-3;

  private final Path file;
  private final JsonFields record;

  /** Of the assessment in a folder. */
  public Recomputed(Path folder) {
    this.file = folder.resolve(AssessmentFolder.RECORD);
    this.record = new JsonFields(StrictJson.readObject(file, MAX_BYTES), file.toString());
  }

  /** Ids of the requested rows. */
  public List<String> ids() {
    return record.objectOrNull("request").strings("ids");
  }

  /** How much was measured, as far as it matters here. */
  public Assessment.Options options(Assessment.Options usual) {
    JsonFields drawing = record.objectOrNull("drawing");
    int rows = 1;
    for (JsonNode group : record.required("rows")) {
      rows = Math.max(rows, group.path("rows").asInt(0));
    }
    return new Assessment.Options(
        rows,
        usual.answered(),
        usual.maxNewTokens(),
        (int) drawing.integer("draws", 100, Integer.MAX_VALUE),
        drawing.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE),
        false,
        usual.limits());
  }

  /**
   * Compares hashes.
   *
   * @return what agrees, a line each
   * @throws LetheException where one does not
   */
  public List<String> hashes(Map<String, String> hashes, Subjects subjects) {
    List<String> agreed = new ArrayList<>();
    JsonNode kept = record.required("hashes");
    hashes.forEach((name, sha256) -> agreed.add(same(name, kept.path(name).asString(""), sha256)));
    JsonNode adapters = record.required("adapters");
    List<Subject> all = subjects.all();
    if (adapters.size() != all.size()) {
      throw refused("the number of adapters is another", adapters.size() + "", all.size() + "");
    }
    for (int i = 0; i < all.size(); i++) {
      Subject subject = all.get(i);
      String name = subject.role().label() + " adapter " + subject.name();
      agreed.add(same(name, adapters.get(i).path("sha256").asString(""), subject.sha256()));
    }
    return agreed;
  }

  private String same(String name, String expected, String got) {
    if (!expected.equals(got)) {
      throw refused("the hash of " + name + " is another", expected, got);
    }
    return Text.format("%s  %s", got, name);
  }

  /**
   * Compares numbers.
   *
   * @return how many agree
   * @throws LetheException for the first that does not
   */
  public int numbers(List<Section> sections) {
    int agreed = 0;
    JsonNode kept = record.required("sections");
    for (Section section : sections) {
      for (Section.Line line : section.lines()) {
        for (int i = 0; i < section.columns().size(); i++) {
          Estimate estimate = line.cells().get(i);
          JsonNode cell = kept.path(section.key()).path("lines").path(line.name()).path(section.columns().get(i));
          String where = String.join(", ", section.title(), line.name(), section.columns().get(i));
          agreed += agrees(where, cell.path("value"), estimate) ? 1 : 0;
        }
      }
    }
    return agreed;
  }

  /** Whether both have a number; one of them alone is refused. */
  private boolean agrees(String where, JsonNode kept, Estimate measured) {
    if (!kept.isNumber() && !measured.exists()) {
      return false;
    }
    double expected = kept.isNumber() ? kept.numberValue().doubleValue() : Double.NaN;
    double difference = Math.abs(expected - measured.value());
    if (!(difference <= NEAR * Math.max(1, Math.abs(expected)))) {
      throw refused(where + " is another number", Double.toString(expected), Double.toString(measured.value()));
    }
    return true;
  }

  private LetheException refused(String problem, String expected, String got) {
    return new LetheException(
        file.toString(), problem, expected, got,
        "Give the very data and adapters that were assessed, in their order; or the record is not of them.");
  }
}
