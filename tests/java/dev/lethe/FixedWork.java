package dev.lethe;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.replay.MemoryLog;
import dev.lethe.replay.ModelGradients;
import dev.lethe.replay.ReplayRequest;
import dev.lethe.replay.RowChange;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparationSettings;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Trainings, an unlearning and products of one small random model from fixed seeds, as hashes of all their bytes. An
 * adapter on all linear layers, rows of unequal lengths, AdamW with every option.
 */
final class FixedWork {
  private static final long SEED = 71;
  private static final int ROWS = 9;
  private static final int VOCABULARY = 83;
  private static final TinyModels.Dims DIMS =
      new TinyModels.Dims(2, 40, 52, 4, 2, VOCABULARY, 64, "");
  private static final TrainOptions OPTIONS =
      TrainOptions.builder()
          .learningRate(0.01)
          .schedule(Schedule.COSINE)
          .warmupSteps(2)
          .epochs(2)
          .batchSize(2)
          .accumulation(2)
          .clip(0.5)
          .weightDecay(0.02)
          .seed(9)
          .build();
  private static final PreparationSettings OPERATORS =
      new PreparationSettings(24, 2, 0, 2, 3, SEED);

  private final Path dir;
  private final Backend backend;
  private final List<Sample> rows = TinyModels.samples(ROWS, VOCABULARY, 4, 15, SEED);
  private final Map<String, String> hashes = new LinkedHashMap<>();

  private FixedWork(Path dir, Backend backend) {
    this.dir = dir;
    this.backend = backend;
  }

  /**
   * @param dir for the model and the operators
   * @return SHA-256 of every result by name
   */
  static Map<String, String> hashes(Path dir, Backend backend) {
    FixedWork work = new FixedWork(dir, backend);
    try (TinyModels.Tiny tiny = TinyModels.open(dir.resolve("model"), DIMS, backend, SEED)) {
      work.train(tiny, "training-with-dropout", 0.1);
      work.all(tiny);
    }
    return work.hashes;
  }

  private void train(TinyModels.Tiny tiny, String name, double dropout) {
    try (LoraAdapter adapter = adapter(tiny, dropout)) {
      train(name, new AdaptedModel(tiny.model(), adapter));
    }
  }

  private void all(TinyModels.Tiny tiny) {
    try (LoraAdapter adapter = adapter(tiny, 0)) {
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      MemoryLog log = train("training", model);
      replay(model, log);
      influence(model);
      products(model);
    }
  }

  private MemoryLog train(String name, AdaptedModel model) {
    List<LoggedRow> logged = rows.stream().map(s -> new LoggedRow(s.id(), s.hash())).toList();
    MemoryLog log = new MemoryLog(OPTIONS, logged, host(model.adapter().theta()));
    TrainingSink sink =
        new TrainingSink() {
          @Override
          public void onGradient(TrainingPlan.Step step, Tensor gradient) {
            log.add(
                new LoggedStep(step.rate(), step.rows(), step.weights()),
                host(gradient).toDoubles());
          }
        };
    TrainingPlan plan = TrainingPlan.of(rows, OPTIONS);
    new Trainer(model, plan, OPTIONS, RowEdits.NONE, TrainMonitor.NONE)
        .keep(sink)
        .run(null, false);
    put(name, model.adapter().theta());
    return log;
  }

  private void replay(AdaptedModel model, MemoryLog log) {
    Path operators = dir.resolve("operators");
    new Preparation(operators, log, model, rows, OPERATORS, BatchLimits.DEFAULT)
        .run(PreparationMonitor.NONE);
    ModelGradients gradients = new ModelGradients(model, OPTIONS, BatchLimits.DEFAULT);
    Map<Integer, RowChange> changes =
        Map.of(3, RowChange.removal(rows.get(3)), 5, RowChange.of(rows.get(5), rows.get(7)));
    try (PreparedOperators prepared = PreparedOperators.open(operators, log, model)) {
      MeasuredReplay replay =
          new MeasuredReplay(log, rows, gradients, prepared.operator(), backend, 2);
      ReplayRequest request = new ReplayRequest(changes, Divisor.SHRINK);
      put("unlearning-by-replay", replay.run(request, null).replayed().differences());
    }
  }

  private void influence(AdaptedModel model) {
    Eraser eraser =
        Eraser.builder(model, UnlearnRequest.of(rows, List.of("3", "8"), List.of()))
            .weightDecay(0.02)
            .damping(0.1)
            .maxIterations(6)
            .memory(new MemoryBudget(1L << 28))
            .build();
    try (UnlearnResult result = eraser.run(EraserMonitor.NONE)) {
      put("unlearning-by-influence", result.adapter().theta());
    }
  }

  private void products(AdaptedModel model) {
    Tensor theta = model.adapter().theta();
    try (Scope scope = backend.openScope("fixed work");
        Batch batch = Batch.of(rows, backend);
        Linearization at = new Linearization(backend, model.tape(batch), theta)) {
      Tensor v = scope.allocate(backend.vectorType(), 3, theta.elements());
      TinyModels.randomize(backend, v, 1, SEED + 1);
      put("gradient", at.gradient(scope));
      put("per-sample-gradients", at.perSampleGradients(scope));
      put("hessian-products", at.hvp(v, scope));
      put("gauss-newton-products", at.ggn(v, scope));
      put("fisher-products", at.fisher(v, scope));
      Tensor drawn = scope.allocate(backend.vectorType(), 2L * ROWS, theta.elements());
      at.drawnGradients(SEED, drawn);
      put("drawn-gradients", drawn);
      double[] derivatives = Arrays.stream(at.jvp(v)).flatMapToDouble(Arrays::stream).toArray();
      hashes.put(
          "directional-derivatives", sha256(Tensor.of(Shape.of(derivatives.length), derivatives)));
    }
  }

  private static LoraAdapter adapter(TinyModels.Tiny tiny, double dropout) {
    PeftAdapterConfig config =
        PeftAdapterConfig.create(3, 6, dropout, TinyModels.ALL_TARGETS, "tiny");
    return TinyModels.adapter(config, tiny.model(), SEED);
  }

  private void put(String name, Tensor result) {
    hashes.put(name, sha256(host(result)));
  }

  private static String sha256(Tensor host) {
    return Sha256.start().add(host).hex();
  }

  private Tensor host(Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    Tensor host = Tensor.of(tensor.shape(), values);
    backend.download(tensor, host);
    return host;
  }
}
