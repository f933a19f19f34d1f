package dev.lethe.assess.further;

import dev.lethe.Text;
import dev.lethe.assess.Assessment;
import dev.lethe.assess.AssessmentMonitor;
import dev.lethe.assess.RowGroup;
import dev.lethe.assess.Subject;
import dev.lethe.assess.Subjects;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.Section;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.evaluate.Memorization;
import dev.lethe.evaluate.Outputs;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.List;

/**
 * The calibrated comparison of "Unlearning with Control" (arXiv 2406.09179): the original and the unlearned adapter are
 * mixed, (1 − α)·original + α·unlearned, with the largest α that keeps the retained rows known by heart as they were; only
 * then is forgetting compared, so that no method looks good by destroying what was to stay.
 */
public final class Calibration implements Assessment.Measure {
  private static final int STEPS = 20;
  private static final double KEPT = 0.95;
  private static final double MEMORISED = 0.1;

  private final Assessment.Options options;

  public Calibration(Assessment.Options options) {
    this.options = options;
  }

  @Override
  public List<Section> of(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    Subject original = subjects.first().get(0);
    Subject unlearned = subjects.first().get(1);
    Subject retrained = subjects.first().get(2);
    if (original.theta().elements() != unlearned.theta().elements()) {
      return List.of(section(List.of(), List.of("Not measured: adapters of different shapes cannot be mixed.")));
    }
    RowGroup forgotten = RowGroup.drawn(RowGroup.FORGOTTEN, request.forgotten(), options.rows(), options.seed());
    RowGroup retained = RowGroup.drawn(RowGroup.RETAINED, request.retained(), options.rows(), options.seed());
    Backend backend = original.model().backend();
    try (Scope scope = backend.openScope("calibration")) {
      Tensor mixed = scope.allocate(backend.vectorType(), original.theta().elements());
      double kept = mean(extraction(original.model(), retained, original.theta()));
      monitor.phase("calibration", STEPS);
      double share = 1;
      for (int step = STEPS; step >= 0; step--) {
        share = (double) step / STEPS;
        mix(backend, original.theta(), unlearned.theta(), share, mixed);
        monitor.done(STEPS - step);
        if (mean(extraction(original.model(), retained, mixed)) >= KEPT * kept) {
          break;
        }
      }
      List<Section.Line> lines = new ArrayList<>();
      int n = retained.samples().size();
      lines.add(
          new Section.Line(
              "share of the unlearned adapter",
              List.of(Estimate.exact(1, n), Estimate.exact(share, n), Estimate.none("it is not mixed")), null));
      List<At> all =
          List.of(
              new At(unlearned.model(), unlearned.theta()),
              new At(original.model(), mixed),
              new At(retrained.model(), retrained.theta()));
      lines.add(line("retained, extraction strength", all, at -> extraction(at.model, retained, at.theta), bootstrap));
      lines.add(line("forgotten, extraction strength", all, at -> extraction(at.model, forgotten, at.theta), bootstrap));
      lines.add(line("forgotten, loss", all, at -> losses(at.model, forgotten, at.theta), bootstrap));
      List<String> remarks =
          kept < MEMORISED
              ? List.of(
                  Text.format(
                      "The original knows too little of the retained rows by heart (extraction strength %.2f): the"
                          + " calibration says nothing.",
                      kept))
              : List.of();
      return List.of(section(lines, remarks));
    }
  }

  private static Section section(List<Section.Line> lines, List<String> remarks) {
    return new Section(
        "calibrated",
        "Forgetting, with what was to stay kept alike",
        "The largest mixture of unlearned and original adapter whose extraction strength on retained rows is at least 95 %"
            + " of the original's, and what it still knows of the forgotten rows. The aim is the retrained adapter's value.",
        List.of("unlearned", "calibrated", "retrained"), lines, remarks);
  }

  /** (1 − α)·one + α·other into mixed. */
  private static void mix(Backend backend, Tensor one, Tensor other, double share, Tensor mixed) {
    backend.vectors().copy(one, mixed);
    backend.vectors().axpby(share, other, 1 - share, mixed);
  }

  private double[] extraction(AdaptedModel model, RowGroup group, Tensor theta) {
    return new Outputs(model, group.samples(), options.limits())
        .memorization(theta).stream().mapToDouble(Memorization::extraction).toArray();
  }

  private double[] losses(AdaptedModel model, RowGroup group, Tensor theta) {
    return new DatasetLoss(model, group.samples(), options.limits()).losses(theta);
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value / values.length;
    }
    return sum;
  }

  private static Section.Line line(String name, List<At> all, Values values, Bootstrap bootstrap) {
    return new Section.Line(name, all.stream().map(at -> bootstrap.mean(values.of(at))).toList(), null);
  }

  private record At(AdaptedModel model, Tensor theta) {}

  @FunctionalInterface
  private interface Values {
    double[] of(At at);
  }
}
