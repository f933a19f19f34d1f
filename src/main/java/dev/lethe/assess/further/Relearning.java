package dev.lethe.assess.further;

import dev.lethe.Text;
import dev.lethe.assess.Assessment;
import dev.lethe.assess.AssessmentMonitor;
import dev.lethe.assess.Subject;
import dev.lethe.assess.Subjects;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.record.Section;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.session.machine.Work;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * What a few steps of training on half of the forgotten rows bring back of the other half: an adapter that only hides the
 * rows gets them back faster than one that never saw them (relearning attack; Hu et al., arXiv 2406.13356).
 */
public final class Relearning implements Assessment.Measure {
  private static final int BATCH = 8;

  private final Assessment.Options options;
  private final int steps;
  private final double rate;

  /**
   * @param steps of AdamW
   * @param rate constant learning rate
   */
  public Relearning(Assessment.Options options, int steps, double rate) {
    this.options = options;
    this.steps = steps;
    this.rate = rate;
  }

  /** What training takes, on a copy of an adapter. */
  public static Work work(UnlearnRequest request) {
    return Work.again("relearning", batch(request.forgotten().size() / 2), 1);
  }

  private static int batch(int rows) {
    return Math.clamp(rows, 1, BATCH);
  }

  @Override
  public List<Section> of(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    List<Sample> shuffled = new ArrayList<>(request.forgotten());
    Collections.shuffle(shuffled, new Random(options.seed()));
    int half = shuffled.size() / 2;
    if (half == 0) {
      return List.of(section(List.of(), List.of("Not measured: relearning needs two forgotten rows.")));
    }
    List<Sample> given = shuffled.subList(0, half);
    List<Sample> asked = shuffled.subList(half, shuffled.size());
    List<double[]> before = new ArrayList<>();
    List<double[]> after = new ArrayList<>();
    monitor.phase("relearning", subjects.first().size());
    for (Subject subject : subjects.first()) {
      before.add(losses(subject, subject.theta(), asked));
      try (LoraAdapter copy = subject.model().adapter().copy()) {
        train(subject, copy, given);
        after.add(losses(subject, copy.theta(), asked));
      }
      monitor.done(before.size());
    }
    List<Section.Line> lines = new BroughtBack(before, after).lines("", bootstrap);
    String what =
        Text.format(
            "%d steps of AdamW at rate %s on %d of %d forgotten rows, drawn; losses are of the other %d.",
            steps, Double.toString(rate), half, shuffled.size(), asked.size());
    return List.of(section(lines, List.of(what)));
  }

  private void train(Subject subject, LoraAdapter adapter, List<Sample> rows) {
    TrainOptions training =
        TrainOptions.builder()
            .learningRate(rate)
            .schedule(Schedule.CONSTANT)
            .maxSteps(steps)
            .batchSize(batch(rows.size()))
            .seed(options.seed())
            .build();
    new Trainer(subject.model().with(adapter), rows, training, TrainMonitor.NONE).run(null, false);
  }

  private double[] losses(Subject subject, Tensor theta, List<Sample> rows) {
    return new DatasetLoss(subject.model(), rows, options.limits()).losses(theta);
  }

  private static Section section(List<Section.Line> lines, List<String> remarks) {
    return new Section(
        "relearning",
        "What relearning brings back",
        "Mean loss on forgotten rows before and after a few steps of training on others of them. Brought back: by how much"
            + " it fell. The retrained adapter gains too, for the rows are alike: the aim is a difference of 0.",
        BroughtBack.COLUMNS, lines, remarks);
  }
}
