package dev.lethe.study;

import java.util.List;
import java.util.Map;

/**
 * One row of results before seeds are put together.
 *
 * @param setting of the plan
 * @param request its name
 * @param method its name in the plan
 * @param point values of the method's grid; empty where it has none
 * @param seed of the cell
 * @param unlearned the step that makes the adapter
 * @param assessment the step that measures it
 */
public record StudyCell(
    StudyPlan.Setting setting,
    String request,
    String method,
    Map<String, Double> point,
    long seed,
    StudyStep unlearned,
    StudyStep assessment) {
  /** The steps that are this cell's alone, in order. */
  public List<StudyStep> steps() {
    return List.of(unlearned, assessment);
  }
}
