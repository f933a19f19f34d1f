package dev.lethe.study;

import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** The numbers of a cell that tables show. */
public enum Measure {
  KL_FORGOTTEN("KL closed, forgotten"),
  KL_RETAINED("KL closed, retained"),
  KL_HELD_OUT("KL closed, held out"),
  LOSS_FORGOTTEN("loss closed, forgotten"),
  LOSS_RETAINED("loss closed, retained"),
  NOISE("noise, forgotten"),
  ATTACK("min-k AUC less retrained"),
  EXTRACTION("extraction strength, original"),
  EXTRACTION_LEFT("extraction strength less retrained"),
  RELEARNED("relearned less retrained"),
  FOUR_BITS("back by 4 bits less retrained"),
  COST("cost, retrainings"),
  SECONDS("seconds");

  private static final long MAX_BYTES = 1 << 26;

  private final String title;

  Measure(String title) {
    this.title = title;
  }

  /** What a table's column is called. */
  public String title() {
    return title;
  }

  /**
   * What was measured of a cell; a number that was not is missing.
   *
   * @param unlearned the folder of the adapter
   * @param assessment the folder of the assessment
   */
  static Map<Measure, Double> of(Path unlearned, Path assessment) {
    Map<Measure, Double> values = new EnumMap<>(Measure.class);
    JsonNode sections = read(assessment.resolve("assessment.json")).path("sections");
    put(values, KL_FORGOTTEN, line(sections, "distance_kl", "forgotten", "closed"));
    put(values, KL_RETAINED, line(sections, "distance_kl", "retained", "closed"));
    put(values, KL_HELD_OUT, line(sections, "distance_kl", "held-out", "closed"));
    put(values, LOSS_FORGOTTEN, line(sections, "distance_loss", "forgotten", "closed"));
    put(values, LOSS_RETAINED, line(sections, "distance_loss", "retained", "closed"));
    put(
        values,
        NOISE,
        line(sections, "distance_kl", "forgotten", "other retrainings")
            / line(sections, "distance_kl", "forgotten", "original"));
    put(
        values,
        ATTACK,
        line(sections, "attacks", "min-k", "unlearned") - line(sections, "attacks", "min-k", "retrained"));
    String extraction = "forgotten, extraction strength";
    put(values, EXTRACTION, line(sections, "memorisation", extraction, "original"));
    put(
        values,
        EXTRACTION_LEFT,
        line(sections, "memorisation", extraction, "unlearned")
            - line(sections, "memorisation", extraction, "retrained"));
    put(values, RELEARNED, line(sections, "relearning", "brought back", "unlearned less retrained"));
    put(values, FOUR_BITS, line(sections, "four_bits", "forgotten, brought back", "unlearned less retrained"));
    JsonNode page = read(unlearned.resolve("lethe_certificate.json"));
    JsonNode cost = page.path("cost");
    put(values, COST, number(cost.path("sampleGradients")) / number(cost.path("retraining")));
    put(values, SECONDS, number(page.path("seconds").path("total")));
    return values;
  }

  private static JsonNode read(Path file) {
    return Files.exists(file) ? StrictJson.read(file, MAX_BYTES) : StrictJson.newObject();
  }

  private static double line(JsonNode sections, String section, String line, String column) {
    return number(sections.path(section).path("lines").path(line).path(column).path("value"));
  }

  private static double number(JsonNode node) {
    return node.isNumber() ? node.numberValue().doubleValue() : Double.NaN;
  }

  private static void put(Map<Measure, Double> values, Measure measure, double value) {
    if (Double.isFinite(value)) {
      values.put(measure, value);
    }
  }
}
