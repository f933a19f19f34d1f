package dev.lethe.study;

import dev.lethe.Text;
import dev.lethe.format.StrictJson;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a study found: for each setting, request and method the seeds' numbers, their means and intervals. Every cell of
 * the plan is in it: done, refused by its method, or still to be run.
 */
public final class StudyTable {
  private static final Measure[] SHOWN = {
    Measure.KL_FORGOTTEN, Measure.KL_RETAINED, Measure.LOSS_FORGOTTEN, Measure.LOSS_RETAINED, Measure.ATTACK,
    Measure.EXTRACTION_LEFT, Measure.RELEARNED, Measure.FOUR_BITS, Measure.COST, Measure.SECONDS
  };

  private final List<StudyPlan.Setting> settings;
  private final Map<String, Row> rows = new LinkedHashMap<>();
  private final Set<String> waiting = new LinkedHashSet<>();

  StudyTable(List<StudyPlan.Setting> settings) {
    this.settings = settings;
  }

  /** One row: a method on a request in a setting, with one point of its grid where it has one. */
  public static final class Row {
    private final StudyCell first;
    private final boolean choosing;
    private final Map<Long, Map<Measure, Double>> bySeed = new TreeMap<>();
    private final Map<Long, String> refused = new TreeMap<>();
    private final List<Long> missing = new ArrayList<>();

    private Row(StudyCell first, boolean choosing) {
      this.first = first;
      this.choosing = choosing;
    }

    public String setting() {
      return first.setting().name();
    }

    public String request() {
      return first.request();
    }

    /** The method's name, with the point of its grid. */
    public String method() {
      String point = StudySteps.label(first.point());
      return first.method() + (point.isEmpty() ? "" : " (" + point + (choosing ? ", choosing" : "") + ")");
    }

    /** Whether these seeds only choose among a grid. */
    public boolean choosing() {
      return choosing;
    }

    /** The mean over the seeds that have the number. */
    public SeedMean mean(Measure measure) {
      return SeedMean.of(bySeed.values().stream().map(values -> values.get(measure)).filter(Objects::nonNull).toList());
    }

    private String seeds() {
      return bySeed.size()
          + (refused.isEmpty() ? "" : Text.format(", %d refused", refused.size()))
          + (missing.isEmpty() ? "" : Text.format(", %d not run", missing.size()));
    }
  }

  /** The rows, in the plan's order. */
  public List<Row> rows() {
    List<Row> sorted = new ArrayList<>(rows.values());
    sorted.sort(
        Comparator.<Row>comparingInt(row -> settings.indexOf(row.first.setting()))
            .thenComparingInt(row -> row.first.setting().requests().indexOf(row.request()))
            .thenComparingInt(row -> row.first.setting().methods().indexOf(row.first.method())));
    return sorted;
  }

  /** Notes that a method waits for the seeds that choose among its grid. */
  void waits(StudyPlan.Setting setting, String method) {
    waiting.add(setting.name() + ", " + method);
  }

  /**
   * Adds a cell.
   *
   * @param choosing whether its seed chooses among a grid
   */
  void add(StudyCell cell, boolean choosing, StudyFolder folder) {
    String key =
        String.join("/", cell.setting().name(), cell.request(), cell.method(), cell.point().toString(), "" + choosing);
    Row row = rows.computeIfAbsent(key, k -> new Row(cell, choosing));
    StudyFolder.Note made = folder.note(cell.unlearned()).orElse(null);
    StudyFolder.Note measured = folder.note(cell.assessment()).orElse(null);
    if (made != null && made.refused()) {
      row.refused.put(cell.seed(), made.refusal());
    } else if (made == null || measured == null) {
      row.missing.add(cell.seed());
    } else {
      row.bySeed.put(
          cell.seed(),
          Measure.of(folder.at(cell.unlearned().output()), folder.at(cell.assessment().output())));
    }
  }

  /** As a table in Markdown, one a setting and request, without columns that nothing of the study measures. */
  public String toMarkdown() {
    StringBuilder text = new StringBuilder();
    String heading = "";
    List<Measure> columns =
        Arrays.stream(SHOWN).filter(measure -> rows().stream().anyMatch(row -> row.mean(measure).n() > 0)).toList();
    for (Row row : rows()) {
      String next = row.setting() + ", " + row.request();
      if (!next.equals(heading)) {
        heading = next;
        text.append(text.isEmpty() ? "" : "\n").append(Text.format("### %s\n\n| method | seeds |", heading));
        for (Measure measure : columns) {
          text.append(' ').append(measure.title()).append(" |");
        }
        text.append("\n|").append("---|".repeat(columns.size() + 2)).append('\n');
      }
      text.append(Text.format("| %s | %s |", row.method(), row.seeds()));
      for (Measure measure : columns) {
        text.append(' ').append(cell(row.mean(measure), measure)).append(" |");
      }
      text.append('\n');
    }
    if (!waiting.isEmpty()) {
      text.append("\nNot run: these wait until every seed that chooses among their grid is done: ")
          .append(String.join("; ", waiting))
          .append(".\n");
    }
    return text.toString();
  }

  private static String cell(SeedMean mean, Measure measure) {
    if (mean.n() == 0) {
      return "–";
    }
    String digits = measure == Measure.SECONDS ? "%.1f" : "%.2f";
    String value = Text.format(digits, mean.mean());
    return mean.n() < 2 ? value : Text.format("%s [" + digits + ", " + digits + "]", value, mean.low(), mean.high());
  }

  /** All numbers of all seeds. */
  public ObjectNode toJson() {
    ObjectNode json = StrictJson.newObject();
    var list = json.putArray("rows");
    for (Row row : rows()) {
      ObjectNode node = list.addObject();
      node.put("setting", row.setting()).put("request", row.request()).put("method", row.first.method());
      ObjectNode point = node.putObject("point");
      row.first.point().forEach(point::put);
      node.put("choosing", row.choosing);
      ObjectNode means = node.putObject("means");
      for (Measure measure : Measure.values()) {
        SeedMean mean = row.mean(measure);
        if (mean.n() > 0) {
          means
              .putObject(measure.title())
              .put("n", mean.n())
              .put("mean", mean.mean())
              .put("low", mean.low())
              .put("high", mean.high());
        }
      }
      ObjectNode seeds = node.putObject("seeds");
      row.bySeed.forEach(
          (seed, values) -> {
            ObjectNode each = seeds.putObject(seed.toString());
            values.forEach((measure, value) -> each.put(measure.title(), value));
          });
      ObjectNode refused = node.putObject("refused");
      row.refused.forEach((seed, why) -> refused.put(seed.toString(), why));
      var missing = node.putArray("notRun");
      row.missing.forEach(missing::add);
    }
    var later = json.putArray("waiting");
    waiting.forEach(later::add);
    return json;
  }
}
