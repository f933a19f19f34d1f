package dev.lethe.replay.prepare;

import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.replay.prepare.PreparationPlan.Group;
import dev.lethe.replay.prepare.PreparationPlan.Visit;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Which parts of a plan lie in the folder, and what is in them. */
record PreparedParts(OperatorFiles files, PreparationPlan plan) {
  /** A part from which more than this was removed is made anew. */
  private static final double MOST_DROPPED = 0.25;

  /** What is to be made of a group. */
  record Missing(Group group, boolean sketch, boolean factors, boolean weights) {
    boolean any() {
      return sketch || factors || weights;
    }
  }

  /**
   * A step that is to be visited.
   *
   * @param part that it belongs to
   * @param last whether the part is complete with it
   */
  record Due(Missing part, Visit visit, boolean last) {
    VisitWork.Wanted wanted() {
      return wanted(part, visit);
    }

    private static VisitWork.Wanted wanted(Missing part, Visit visit) {
      return new VisitWork.Wanted(part.sketch, part.factors && visit.factors(), part.weights);
    }
  }

  /** The visits of missing parts, in the order of the run. */
  static List<Due> due(List<Missing> missing) {
    List<Due> all = new ArrayList<>();
    for (Missing part : missing) {
      List<Visit> visits =
          part.group().visits().stream().filter(visit -> Due.wanted(part, visit).any()).toList();
      visits.forEach(visit -> all.add(new Due(part, visit, visit == visits.getLast())));
    }
    return all;
  }

  /**
   * What is still to be made of a group. Statistics for bases are written before the sketch, so that they
   * are missing beside one only where a removal took them; bases hardly change while half of them are
   * left.
   */
  Missing missing(Group group) {
    int index = group.index();
    boolean sketch = !enough(sketchRows(index), (long) group.count() * plan.draws());
    boolean factors =
        !Files.exists(files.factors(index)) && (sketch || 2 * factors().size() < groups());
    boolean weights = !plan.longRun() && !enough(weightSteps(index), group.visits().size());
    return new Missing(group, sketch, factors, weights);
  }

  private static boolean enough(long there, long wanted) {
    return there >= (1 - MOST_DROPPED) * wanted;
  }

  private int groups() {
    return plan.groups().size();
  }

  private long sketchRows(int group) {
    if (!Files.exists(files.sketch(group))) {
      return 0;
    }
    try (SafeTensors file = SafeTensors.open(files.sketch(group))) {
      return file.get(SketchBuffer.ROWS).dim(0);
    }
  }

  private long weightSteps(int group) {
    if (!Files.exists(files.weights(group))) {
      return 0;
    }
    try (SafeTensors file = SafeTensors.open(files.weights(group))) {
      return WeightGradients.steps(file).size();
    }
  }

  /** All that is still to be made. */
  List<Missing> missing() {
    return plan.groups().stream().map(this::missing).filter(Missing::any).toList();
  }

  /** Whether nothing is missing. */
  boolean complete() {
    return missing().isEmpty()
        && Files.exists(files.ekfac())
        && (!plan.leading() || Files.exists(files.directions()))
        && (plan.longRun() || Files.exists(files.means()));
  }

  /** The files of statistics that are there. */
  List<Path> factors() {
    return plan.groups().stream()
        .map(group -> files.factors(group.index()))
        .filter(Files::exists)
        .toList();
  }

  /** Maps what a replay reads of the sketch. */
  MappedSketch openSketch() {
    return plan.leading() ? MappedSketch.leading(files.directions()) : openRows();
  }

  /** Maps all rows of the sketch. */
  MappedSketch openRows() {
    return MappedSketch.rows(plan.groups().stream().map(group -> files.sketch(group.index())).toList());
  }
}
