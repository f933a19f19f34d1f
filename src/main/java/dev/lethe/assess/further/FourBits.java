package dev.lethe.assess.further;

import dev.lethe.assess.Assessment;
import dev.lethe.assess.AssessmentMonitor;
import dev.lethe.assess.RowGroup;
import dev.lethe.assess.Subject;
import dev.lethe.assess.Subjects;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.record.Section;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.MemoryNeed;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What rounding the merged weights to four bits brings back of the forgotten rows: steps that are smaller than the
 * rounding vanish in it, and forgetting with them (Zhang et al., arXiv 2410.16454).
 */
public final class FourBits implements Assessment.Measure {
  private final Session session;
  private final Assessment.Options options;

  /**
   * @param session of the adapters' model
   */
  public FourBits(Session session, Assessment.Options options) {
    this.session = session;
    this.options = options;
  }

  /** What a model of its own takes, and the sum of its largest layer while it is rounded. */
  public static Work work(Session session) {
    TransformerSpec spec = session.spec();
    long largest =
        Arrays.stream(Projection.values()).filter(spec::has).mapToLong(p -> spec.in(p) * spec.out(p)).max().orElse(0);
    return Work.mergedBeside(
        MemoryNeed.ofWeights(spec, session.backend()) + largest * session.backend().vectorType().bytes());
  }

  @Override
  public List<Section> of(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    List<List<Sample>> groups =
        List.of(
            RowGroup.drawn(RowGroup.FORGOTTEN, request.forgotten(), options.rows(), options.seed()).samples(),
            RowGroup.drawn(RowGroup.RETAINED, request.retained(), options.rows(), options.seed()).samples());
    List<List<double[]>> before = List.of(new ArrayList<>(), new ArrayList<>());
    List<List<double[]>> after = List.of(new ArrayList<>(), new ArrayList<>());
    monitor.phase("four bits", subjects.first().size());
    for (Subject subject : subjects.first()) {
      add(groups, subject.model(), subject.theta(), before);
      rounded(groups, subject, after);
      monitor.done(before.getFirst().size());
    }
    List<Section.Line> lines = new ArrayList<>();
    lines.addAll(new BroughtBack(before.get(0), after.get(0)).lines("forgotten, ", bootstrap));
    if (!groups.get(1).isEmpty()) {
      lines.addAll(new BroughtBack(before.get(1), after.get(1)).lines("retained, ", bootstrap));
    }
    return List.of(
        new Section(
            "four_bits",
            "What four bits bring back",
            "Mean loss before and after the adapter is merged and the linear layers' weights are rounded to NF4 in blocks"
                + " of 64, as bitsandbytes does. Brought back: by how much it fell; below 0 it rose. The retrained adapter"
                + " is rounded too: the aim is a difference of 0.",
            BroughtBack.COLUMNS, lines, List.of()));
  }

  private void rounded(List<List<Sample>> groups, Subject subject, List<List<double[]>> losses) {
    try (LanguageModel model =
            LanguageModel.openMergedInFourBits(session.folder(), session.backend(), subject.model().adapter());
        Scope scope = session.backend().openScope("four bits")) {
      Tensor none = scope.allocate(session.backend().vectorType(), 0);
      add(groups, new AdaptedModel(model, null), none, losses);
    }
  }

  private void add(List<List<Sample>> groups, AdaptedModel model, Tensor theta, List<List<double[]>> losses) {
    for (int i = 0; i < groups.size(); i++) {
      losses.get(i).add(new DatasetLoss(model, groups.get(i), options.limits()).losses(theta));
    }
  }
}
