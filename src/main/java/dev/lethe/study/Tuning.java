package dev.lethe.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Chooses the point of each method's grid that closes most on the seeds that choose: the mean over seeds and requests of
 * what is closed in KL on forgotten and on retained rows, both alike. A refusal counts as doing nothing, 0.
 */
final class Tuning {
  private final StudyPlan plan;
  private final StudySteps steps;
  private final StudyFolder folder;

  Tuning(StudyPlan plan, StudySteps steps, StudyFolder folder) {
    this.plan = plan;
    this.steps = steps;
    this.folder = folder;
  }

  /** The best point of each {@code setting/method} all of whose choosing cells are done. */
  Map<String, Map<String, Double>> chosen() {
    Map<String, Map<Map<String, Double>, List<Double>>> scores = new LinkedHashMap<>();
    for (StudySteps.Block block : steps.blocks()) {
      if (plan.tuning().contains(block.seed())) {
        for (StudyCell cell : steps.cells(block, Map.of())) {
          if (!cell.point().isEmpty()) {
            scores
                .computeIfAbsent(block.setting().name() + "/" + cell.method(), key -> new LinkedHashMap<>())
                .computeIfAbsent(cell.point(), key -> new ArrayList<>())
                .add(score(cell));
          }
        }
      }
    }
    Map<String, Map<String, Double>> chosen = new LinkedHashMap<>();
    scores.forEach(
        (key, points) -> {
          Map<String, Double> best = best(points);
          if (best != null) {
            chosen.put(key, best);
          }
        });
    return chosen;
  }

  /** The first of the best; null where a cell is not done. */
  private static Map<String, Double> best(Map<Map<String, Double>, List<Double>> points) {
    Map<String, Double> best = null;
    double most = Double.NEGATIVE_INFINITY;
    for (Map.Entry<Map<String, Double>, List<Double>> point : points.entrySet()) {
      double mean = point.getValue().stream().mapToDouble(x -> x).average().orElse(Double.NaN);
      if (Double.isNaN(mean)) {
        return null;
      }
      if (mean > most) {
        most = mean;
        best = point.getKey();
      }
    }
    return best;
  }

  /** NaN where the cell is not done. */
  private double score(StudyCell cell) {
    StudyFolder.Note made = folder.note(cell.unlearned()).orElse(null);
    if (made == null) {
      return Double.NaN;
    }
    if (made.refused()) {
      return 0;
    }
    if (folder.note(cell.assessment()).isEmpty()) {
      return Double.NaN;
    }
    Map<Measure, Double> values =
        Measure.of(folder.at(cell.unlearned().output()), folder.at(cell.assessment().output()));
    return (values.getOrDefault(Measure.KL_FORGOTTEN, 0.0) + values.getOrDefault(Measure.KL_RETAINED, 0.0)) / 2;
  }
}
