package dev.lethe.assess.record;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * Everything that an assessment found, and what it was made from. Its file is {@code assessment.json}.
 *
 * @param created when
 * @param environment versions, machine and device, name by name
 * @param hashes SHA-256 in hex of the model, the training data and the request, and of the held-out rows where there are
 *     some
 * @param request what was asked
 * @param adapters what was measured
 * @param rows how many rows of each group were measured, and of how many
 * @param seed of all drawing
 * @param draws how many times rows were drawn again for an interval
 * @param headline the result in plain sentences
 * @param sections the measures
 * @param curves ROC curves of the attack by Min-K, one an adapter; may be empty
 * @param texts rows in words where that was asked for; may be empty
 * @param limits what the numbers do not show, in plain sentences
 */
public record AssessmentRecord(
    Instant created,
    Map<String, String> environment,
    Map<String, String> hashes,
    Asked request,
    List<Adapter> adapters,
    List<Measured> rows,
    long seed,
    int draws,
    List<String> headline,
    List<Section> sections,
    List<Curve> curves,
    List<ShownText> texts,
    List<String> limits) {

  /**
   * The request.
   *
   * @param rows that the original was trained on
   * @param removed how many of them were to go
   * @param replaced how many were to get a new version
   * @param ids all of those
   */
  public record Asked(int rows, int removed, int replaced, List<String> ids) {}

  /**
   * An adapter.
   *
   * @param role what it is in the assessment
   * @param name of its folder
   * @param sha256 of configuration and parameters
   * @param method what its certificate says how it was made; null where it has none
   */
  public record Adapter(String role, String name, String sha256, String method) {}

  /**
   * A group of rows.
   *
   * @param group its name
   * @param rows how many were measured
   * @param of how many there are
   */
  public record Measured(String group, int rows, int of) {}

  /** The section of a key; null where it was not measured. */
  public Section section(String key) {
    return sections.stream().filter(section -> section.key().equals(key)).findFirst().orElse(null);
  }
}
