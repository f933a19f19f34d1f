package dev.lethe.unlearn.baseline;

import dev.lethe.data.Sample;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingResult;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import java.util.List;

/** Goes on training on the rows as they should have been. */
record FineTuning(Settings settings) implements Baseline {
  static final String NAME = "fine-tune";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "goes on training on the retained rows and hopes that the others fade (fine-tuning of TOFU, arXiv 2401.06121)";
  }

  @Override
  public void apply(BaselineWork work, LoraAdapter adapter) {
    train(work, settings, work.request().target(), adapter);
  }

  /** Trains on rows, with the adapter's dropout. */
  static void train(BaselineWork work, Settings settings, List<Sample> rows, LoraAdapter adapter) {
    int batch = settings.count("batch");
    long steps = (long) Math.ceilDiv(rows.size(), batch) * settings.count("epochs");
    TrainOptions options =
        TrainOptions.builder()
            .learningRate(settings.number("lr"))
            .epochs(settings.count("epochs"))
            .batchSize(batch)
            .weightDecay(settings.number("weight-decay"))
            .warmupSteps(Math.round(settings.number("warmup-epochs") * Math.ceilDiv(rows.size(), batch)))
            .clip(settings.number("clip"))
            .seed(work.task().seed())
            .build();
    work.phase("training", steps);
    TrainMonitor monitor =
        new TrainMonitor() {
          private long done;

          @Override
          public void onStep(StepLog log) {
            work.done(++done);
          }

          @Override
          public boolean interrupted() {
            return work.interrupted();
          }
        };
    TrainingResult result = new Trainer(work.model().with(adapter), rows, options, monitor).run(null, false);
    if (!result.completed()) {
      throw new UnlearnInterrupted(null);
    }
    work.count((double) rows.size() * settings.count("epochs"));
  }
}
