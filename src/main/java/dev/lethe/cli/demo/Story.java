package dev.lethe.cli.demo;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.evaluate.Outputs;
import dev.lethe.evaluate.RetrainDistance;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.GenerationOptions;
import dev.lethe.nn.Generator;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.session.InterruptedRun;
import dev.lethe.solve.LevenbergMarquardt;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.Schedule;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Trains, unlearns, trains again and compares. The adapter is a pair of rank 4 on the last feed-forward
 * layer, brought to a minimum of (1/n) Σ ℓᵢ + ½·0.01·‖θ‖² by descent and then Newton steps: there one
 * objective has one minimum, whatever the seed, and what unlearning aims at is what training again finds.
 *
 * <p>Long because a story is read from its beginning to its end.
 */
public final class Story {
  private static final String TARGET = "1.mlp.down_proj";
  private static final int RANK = 4;
  private static final double L2 = 0.01;
  private static final double GRADIENT = 1e-4;
  private static final double DAMPING = 0.05;
  private static final int NEWTON_STEPS = 40;

  private final Backend backend;
  private final Progress progress;
  private final BooleanSupplier interrupted;
  private final Scale scale;
  private final long seed;
  private final TinyWorld world;

  /**
   * How much is done.
   *
   * @param baseSteps optimiser steps of the base model
   * @param adapterSteps descent steps of an adapter, before the Newton steps
   * @param outerSteps solves in a row of the thorough unlearning
   * @param tasks how many of the three requests
   * @param epochs of the adapter that is trained by AdamW
   */
  public record Scale(int baseSteps, int adapterSteps, int outerSteps, int tasks, int epochs) {
    public static final Scale FULL = new Scale(120, 150, 6, 3, 6);
    public static final Scale QUICK = new Scale(60, 60, 3, 1, 3);
  }

  /**
   * @param seed of the facts and the adapters
   * @param interrupted asked between steps
   */
  public Story(
      Backend backend, Progress progress, BooleanSupplier interrupted, Scale scale, long seed) {
    this.backend = backend;
    this.progress = progress;
    this.interrupted = interrupted;
    this.scale = scale;
    this.seed = seed;
    this.world = new TinyWorld(seed);
  }

  /** Plays it; the folder takes the model's files. */
  public Report run(Path dir) {
    long start = System.nanoTime();
    double[] losses = new double[2];
    try (Progress.Task task = progress.start("base model", scale.baseSteps, "steps");
        TinyModel base =
            TinyModel.train(dir, world, backend, scale.baseSteps, listener(task, losses))) {
      task.close();
      Report.Base baseReport =
          new Report.Base(
              base.model().spec().parameters(), losses[0], losses[1], scale.baseSteps, since(start));
      return adapt(base.model(), baseReport, dir, start);
    }
  }

  private Report adapt(LanguageModel model, Report.Base base, Path dir, long start) {
    List<Sample> rows = world.trainingRows();
    try (Trained original = atMinimum(model, rows, L2, "adapter")) {
      List<Report.Task> tasks = new ArrayList<>();
      for (Map.Entry<String, UnlearnRequest> request : requests(rows).entrySet()) {
        tasks.add(task(original, rows, request.getKey(), request.getValue()));
      }
      Report.AsTrained asTrained = asTrained(model, rows, dir);
      Report.Adapter adapter =
          new Report.Adapter(
              original.adapter.layout().size(),
              RANK,
              world.newPeople(),
              rows.size(),
              L2,
              original.gradient,
              original.newtonSteps,
              original.seconds);
      return new Report(
          seed, backend.description(), base, adapter, tasks, asTrained, scale.outerSteps, since(start));
    }
  }

  private Map<String, UnlearnRequest> requests(List<Sample> rows) {
    Map<String, UnlearnRequest> requests = new LinkedHashMap<>();
    requests.put(
        "remove", UnlearnRequest.of(rows, List.of("nils-city", "nils-work", "nils-pet"), List.of()));
    if (scale.tasks > 1) {
      requests.put(
          "correct the answer",
          UnlearnRequest.of(
              rows, List.of(), List.of(world.corrected("leo-work"), world.corrected("kira-work"))));
      requests.put(
          "change the question",
          UnlearnRequest.of(
              rows,
              List.of(),
              List.of(world.redirected("pavel-pet", 0), world.redirected("jonas-work", 1))));
    }
    return requests;
  }

  private Report.Task task(
      Trained original, List<Sample> rows, String name, UnlearnRequest request) {
    double l2 = L2 * rows.size() / request.target().size(); // 1/n and the decay stay those of all rows
    try (Trained again = atMinimum(original.model(), request.target(), l2, "training again");
        UnlearnResult one = unlearn(original, request, 1);
        UnlearnResult more = unlearn(original, request, scale.outerSteps)) {
      RetrainDistance first = distance(original, one, again.adapter, request);
      RetrainDistance last = distance(original, more, again.adapter, request);
      List<LoraAdapter> three = List.of(original.adapter, more.adapter(), again.adapter);
      List<Report.Group> groups = new ArrayList<>();
      group(groups, "forgotten", request.forgotten(), three);
      group(groups, "new version", request.replacements(), three);
      group(groups, "retained", request.retained(), three);
      group(groups, "held out", world.heldOutRows(), three);
      return new Report.Task(
          name,
          request.forgetIds(),
          groups,
          first.outputsClosed(),
          last.outputsClosed(),
          last.weightsClosed(),
          one.certificate().seconds().total(),
          more.certificate().seconds().total(),
          again.seconds,
          answers(request, three));
    }
  }

  /** The same removal on an adapter as people train them. */
  private Report.AsTrained asTrained(LanguageModel model, List<Sample> rows, Path dir) {
    try (Progress.Task task = progress.start("AdamW adapter", 0, "steps")) {
      return new AsTrained(
              model,
              rows,
              scale.epochs,
              seed,
              dir.resolve("adapter"),
              listener(task, new double[2]),
              watch())
          .run(requests(rows).get("remove"));
    }
  }

  private UnlearnResult unlearn(
      Trained original, UnlearnRequest request, int outerSteps) {
    return Eraser.builder(original.adapted(), request)
        .damping(DAMPING)
        .weightDecay(L2)
        .tolerance(1e-3)
        .outerSteps(outerSteps)
        .heldOut(world.heldOutRows())
        .build()
        .run(watch());
  }

  /** Descent chooses the valley, Newton steps go to its floor. */
  private Trained atMinimum(LanguageModel model, List<Sample> rows, double l2, String name) {
    long start = System.nanoTime();
    TrainOptions descent =
        TrainOptions.builder()
            .optimizer(OptimizerKind.SGD)
            .learningRate(0.1)
            .momentum(0.9)
            .schedule(Schedule.CONSTANT)
            .maxSteps(scale.adapterSteps)
            .batchSize(rows.size())
            .clip(0)
            .weightDecay(l2)
            .seed(seed)
            .build();
    Trained trained = train(model, rows, descent, name);
    DatasetLoss loss = new DatasetLoss(trained.adapted(), rows, BatchLimits.DEFAULT);
    LevenbergMarquardt minimiser =
        new LevenbergMarquardt(
            loss,
            LevenbergMarquardt.Options.of(l2, GRADIENT, NEWTON_STEPS),
            MemoryBudget.automatic(backend));
    LevenbergMarquardt.Result floor =
        minimiser.minimise(trained.adapter.theta(), LevenbergMarquardt.Monitor.NONE);
    return trained.withFloor(floor.gradientNorm(), floor.steps(), since(start));
  }

  private Trained train(
      LanguageModel model, List<Sample> rows, TrainOptions options, String name) {
    PeftAdapterConfig config = PeftAdapterConfig.create(RANK, RANK, 0, List.of(TARGET), "demo");
    LoraAdapter adapter = LoraAdapter.create(config, model, seed);
    try (Progress.Task task = progress.start(name, options.maxSteps(), "steps")) {
      TrainingRecord record =
          new Trainer(new AdaptedModel(model, adapter), rows, options, listener(task, new double[2]))
              .run(null, false)
              .record();
      stopIfAsked();
      return new Trained(adapter, record, Double.NaN, 0, 0);
    }
  }

  private RetrainDistance distance(
      Trained original, UnlearnResult unlearned, LoraAdapter again, UnlearnRequest request) {
    List<Sample> probe = new ArrayList<>(request.forgotten());
    probe.addAll(request.target());
    Outputs outputs = new Outputs(original.adapted(), probe, BatchLimits.DEFAULT);
    return RetrainDistance.of(
        outputs,
        original.adapter,
        original.adapter.theta(),
        unlearned.adapter().theta(),
        again.theta());
  }

  private static void group(
      List<Report.Group> groups, String name, List<Sample> rows, List<LoraAdapter> three) {
    if (!rows.isEmpty()) {
      double[] means = three.stream().mapToDouble(adapter -> mean(adapter, rows)).toArray();
      groups.add(new Report.Group(name, rows.size(), means[0], means[1], means[2]));
    }
  }

  private static double mean(LoraAdapter adapter, List<Sample> rows) {
    AdaptedModel adapted = new AdaptedModel(adapter.model(), adapter);
    double[] losses =
        new DatasetLoss(adapted, rows, BatchLimits.DEFAULT).losses(adapter.theta());
    return Arrays.stream(losses).average().orElseThrow();
  }

  private List<Report.Answer> answers(UnlearnRequest request, List<LoraAdapter> three) {
    List<Report.Answer> answers = new ArrayList<>();
    List<Sample> asked = new ArrayList<>(request.forgotten());
    request.replacements().stream()
        .filter(row -> asked.stream().noneMatch(old -> sameQuestion(old, row)))
        .forEach(asked::add);
    for (Sample row : asked) {
      int[] prompt = world.prompt(row);
      List<String> said = three.stream().map(adapter -> say(adapter, prompt)).toList();
      answers.add(
          new Report.Answer(world.text(prompt), said.get(0), said.get(1), said.get(2)));
    }
    return answers;
  }

  private boolean sameQuestion(Sample one, Sample other) {
    return Arrays.equals(world.prompt(one), world.prompt(other));
  }

  private String say(LoraAdapter adapter, int[] prompt) {
    Generator generator = new Generator(new AdaptedModel(adapter.model(), adapter), 64);
    GenerationOptions greedy = GenerationOptions.greedy(3, world.endId());
    return world.text(generator.generate(prompt, greedy, token -> true));
  }

  private EraserMonitor watch() {
    return new EraserMonitor() {
      @Override
      public boolean interrupted() {
        stopIfAsked();
        return false;
      }
    };
  }

  /** Follows a training; losses gets the first and the last loss. */
  private TrainMonitor listener(Progress.Task task, double[] losses) {
    return new TrainMonitor() {
      @Override
      public void onStep(StepLog log) {
        if (log.step() == 1) {
          losses[0] = log.loss();
        }
        losses[1] = log.loss();
        task.done(log.step(), Text.format("loss %.4f", log.loss()));
      }

      @Override
      public boolean interrupted() {
        stopIfAsked();
        return false;
      }
    };
  }

  private void stopIfAsked() {
    if (interrupted.getAsBoolean()) {
      throw new InterruptedRun("interrupted; the demo keeps nothing. Run it again.");
    }
  }

  private static double since(long start) {
    return (System.nanoTime() - start) / 1e9;
  }

  /** An adapter and how it was trained. */
  private record Trained(
      LoraAdapter adapter, TrainingRecord record, double gradient, int newtonSteps, double seconds)
      implements AutoCloseable {
    LanguageModel model() {
      return adapter.model();
    }

    AdaptedModel adapted() {
      return new AdaptedModel(adapter.model(), adapter);
    }

    Trained withFloor(double norm, int steps, double took) {
      return new Trained(adapter, record, norm, steps, took);
    }

    @Override
    public void close() {
      adapter.close();
    }
  }
}
