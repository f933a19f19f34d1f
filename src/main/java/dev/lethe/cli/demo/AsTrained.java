package dev.lethe.cli.demo;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.evaluate.Outputs;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import dev.lethe.trajectory.Provenance;
import dev.lethe.trajectory.RowHashes;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.trajectory.TrajectorySink;
import dev.lethe.trajectory.TrajectoryWriter;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.ExactUnlearner;
import dev.lethe.unlearn.RecordedUnlearner;
import dev.lethe.unlearn.Unlearner;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.recording.ReplayOptions;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Unlearning on an adapter as people train them: AdamW, a few epochs, no minimum in sight. Three methods side by side,
 * of which one is training again.
 */
final class AsTrained {
  private static final int RANK = 4;
  private static final List<String> TARGETS = List.of("q_proj", "v_proj", "down_proj");
  private static final String FORM = "the demo's words";

  /** Shows the result whatever the certificate says of it. */
  private static final ReplayOptions ANY_OUTCOME =
      new ReplayOptions(0, Double.NaN, 1, ReplayOptions.BY_COST, true);

  private final LanguageModel model;
  private final Backend backend;
  private final List<Sample> rows;
  private final TrainOptions options;
  private final Path dir;
  private final TrainMonitor listener;
  private final EraserMonitor monitor;

  /**
   * @param dir a folder for the adapter
   */
  AsTrained(
      LanguageModel model,
      List<Sample> rows,
      int epochs,
      long seed,
      Path dir,
      TrainMonitor listener,
      EraserMonitor monitor) {
    this.model = model;
    this.backend = model.backend();
    this.rows = rows;
    this.options =
        TrainOptions.builder().learningRate(1e-3).epochs(epochs).batchSize(8).seed(seed).build();
    this.dir = dir;
    this.listener = listener;
    this.monitor = monitor;
  }

  Report.AsTrained run(UnlearnRequest request) {
    PeftAdapterConfig config = PeftAdapterConfig.create(RANK, 2 * RANK, 0, TARGETS, "demo");
    try (LoraAdapter adapter = LoraAdapter.create(config, model, options.seed())) {
      AdaptedModel adapted = new AdaptedModel(model, adapter);
      TrainingRecord record = train(adapted);
      try (Trajectory trajectory = Trajectory.open(dir, adapted)) {
        return compare(adapted, record, trajectory, request);
      }
    }
  }

  /** Trains and leaves adapter and trajectory in the folder. */
  private TrainingRecord train(AdaptedModel adapted) {
    TrainingPlan plan = TrainingPlan.of(rows, options);
    Path work = dir.resolveSibling("work");
    try (TrajectoryWriter writer =
        new TrajectoryWriter(work, adapted, DType.F32, options.batchSize())) {
      TrainingRecord record =
          new Trainer(adapted, plan, options, RowEdits.NONE, listener)
              .keep(new TrajectorySink(writer))
              .run(null, false)
              .record();
      LoraAdapter adapter = adapted.adapter();
      adapter.writeInto(dir);
      String key = RowKey.random().hex();
      writer.finish(
          dir,
          new Provenance(
              options, FORM, record.modelSha256(), record.dataSha256(), key, Provenance.LETHE,
              record.edits(), List.of()),
          RowHashes.of(key, rows, RowEdits.NONE));
      return record;
    }
  }

  private Report.AsTrained compare(
      AdaptedModel adapted, TrainingRecord record, Trajectory trajectory, UnlearnRequest request) {
    Recording recording = Recording.of(trajectory, rows, FORM);
    UnlearnTask task = UnlearnTask.of(adapted, request);
    long start = System.nanoTime();
    Path operators = PreparedOperators.folder(dir);
    new Preparation(operators, trajectory, adapted, recording.rows(), null, BatchLimits.DEFAULT)
        .run(PreparationMonitor.NONE);
    double preparing = (System.nanoTime() - start) * 1e-9;
    Unlearner endpoint =
        Eraser.builder(adapted, request).trainingRecord(record).build();
    Unlearner exact = new ExactUnlearner(task, recording);
    try (PreparedOperators prepared = PreparedOperators.open(operators, trajectory, adapted);
        UnlearnResult again = exact.run(monitor)) {
      Unlearner recorded =
          new RecordedUnlearner(task, recording, prepared.operator(), ANY_OUTCOME);
      List<Report.Way> ways = new ArrayList<>();
      Judge judge = new Judge(adapted, request, again.adapter().theta());
      ways.add(judge.way("as it was", 0, adapted.adapter().theta()));
      for (var named : List.of(new Named("endpoint", endpoint), new Named("recorded", recorded))) {
        try (UnlearnResult result = named.method.run(monitor)) {
          double seconds = result.certificate().seconds().total();
          ways.add(judge.way(named.name, seconds, result.adapter().theta()));
        }
      }
      ways.add(
          judge.way("exact", again.certificate().seconds().total(), again.adapter().theta()));
      return new Report.AsTrained(options.epochs(), record.steps(), preparing, ways);
    }
  }

  private record Named(String name, Unlearner method) {}

  /** Compares parameters with those of training again. */
  private final class Judge {
    private final List<Sample> forgotten;
    private final List<Sample> retained;
    private final DatasetLoss loss;
    private final AdaptedModel adapted;
    private final Tensor again;

    Judge(AdaptedModel adapted, UnlearnRequest request, Tensor again) {
      this.adapted = adapted;
      this.forgotten = request.forgotten();
      this.retained = request.retained();
      this.loss = new DatasetLoss(adapted, rows, BatchLimits.DEFAULT);
      this.again = again;
    }

    Report.Way way(String name, double seconds, Tensor theta) {
      return new Report.Way(
          name,
          seconds,
          mean(forgotten, theta),
          mean(retained, theta),
          closed(forgotten, theta),
          closed(retained, theta));
    }

    private double mean(List<Sample> of, Tensor theta) {
      return Arrays.stream(loss.of(of).losses(theta)).average().orElseThrow();
    }

    private double closed(List<Sample> of, Tensor theta) {
      Outputs outputs = new Outputs(adapted, of, BatchLimits.DEFAULT);
      double before = outputs.divergence(again, adapted.adapter().theta());
      return 1 - outputs.divergence(again, theta) / before;
    }
  }
}
