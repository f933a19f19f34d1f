package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparationSettings;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Recorded replay of one AdamW run with one set of operators: emulated CUDA kernels against float64. */
class EmulatedReplayTest {
  private static final long SEED = 47;
  private static final int ROWS = 12;
  private static final TinyModels.Dims DIMS = new TinyModels.Dims(2, 64, 48, 2, 1, 23, 64, "");
  private static final PreparationSettings SETTINGS = new PreparationSettings(24, 2, 0, 2, 3, SEED);
  private static final TrainOptions OPTIONS =
      TrainOptions.builder().learningRate(0.01).batchSize(4).epochs(2).clip(0.5).weightDecay(0.1).build();
  private static final String PLAIN = "plain replay";
  private static final String MEASURED = "replay with four measured steps";

  @TempDir Path dir;
  private final List<Sample> samples = TinyModels.samples(ROWS, 23, 4, 11, SEED);
  private MemoryLog log;

  @Test
  void stepsAgreeWithTheReference() {
    TinyModels.writeFolder(dir.resolve("model"), DIMS, SEED);
    Map<String, double[]> expected;
    try (Backend reference = Backends.select("reference", BackendOptions.DEFAULT)) {
      expected = on(reference, true);
    }
    Map<String, double[]> narrow;
    try (Backend emulated = EmulatedBackends.open(DType.F32)) {
      narrow = on(emulated, false);
    }
    Map<String, double[]> narrower;
    try (Backend emulated = EmulatedBackends.open(DType.BF16)) {
      narrower = on(emulated, false);
    }
    for (String what : List.of(PLAIN, MEASURED)) {
      requireNear(what + " in F32", narrow.get(what), expected.get(what), 1e-4);
      requireNear(what + " in BF16", narrower.get(what), expected.get(what), 0.2);
    }
  }

  private static void requireNear(String what, double[] got, double[] expected, double bound) {
    double error = 0;
    double size = 0;
    for (int i = 0; i < got.length; i++) {
      error += Math.pow(got[i] - expected[i], 2);
      size += expected[i] * expected[i];
    }
    double relative = Math.sqrt(error / size);
    assertTrue(relative <= bound, "%s, seed %d: %.2e of the step".formatted(what, SEED, relative));
  }

  /** The request's steps; with {@code first} the run is made here, and its operators. */
  private Map<String, double[]> on(Backend backend, boolean first) {
    try (HfModelFolder files = HfModelFolder.open(dir.resolve("model"));
        LanguageModel base = LanguageModel.open(files, backend);
        LoraAdapter adapter = TinyModels.adapter(base, 2, 4, TinyModels.ALL_TARGETS, SEED)) {
      AdaptedModel model = new AdaptedModel(base, adapter);
      Path operators = dir.resolve("operators");
      if (first) {
        train(model);
        new Preparation(operators, log, model, samples, SETTINGS, BatchLimits.DEFAULT)
            .run(PreparationMonitor.NONE);
      }
      ModelGradients gradients = new ModelGradients(model, OPTIONS, BatchLimits.DEFAULT);
      Map<String, double[]> steps = new LinkedHashMap<>();
      try (PreparedOperators prepared = PreparedOperators.open(operators, log, model)) {
        for (int measured : new int[] {0, 4}) {
          MeasuredReplay.Outcome outcome =
              new MeasuredReplay(log, samples, gradients, prepared.operator(), backend, measured)
                  .run(request(), null);
          steps.put(
              measured == 0 ? PLAIN : MEASURED, outcome.replayed().differences().row(0).toDoubles());
        }
      }
      return steps;
    }
  }

  private ReplayRequest request() {
    Sample unseen = TinyModels.samples(ROWS, 23, 4, 11, SEED + 1).get(5);
    Sample other = new Sample(samples.get(5).id(), unseen.inputIds(), unseen.labels(), "new");
    return new ReplayRequest(
        Map.of(3, RowChange.removal(samples.get(3)), 5, RowChange.of(samples.get(5), other)),
        Divisor.KEEP);
  }

  /** Logs a run in numbers that float32 holds. */
  private void train(AdaptedModel model) {
    List<LoggedRow> rows = samples.stream().map(s -> new LoggedRow(s.id(), s.hash())).toList();
    double[] initial = rounded(model, model.adapter().theta());
    log = new MemoryLog(OPTIONS, rows, Tensor.of(Shape.of(initial.length), initial));
    new Trainer(model, TrainingPlan.of(samples, OPTIONS), OPTIONS, RowEdits.NONE, TrainMonitor.NONE)
        .keep(
            new TrainingSink() {
              @Override
              public void onGradient(TrainingPlan.Step step, Tensor gradient) {
                log.add(
                    new LoggedStep(step.rate(), step.rows(), step.weights()),
                    rounded(model, gradient));
              }
            })
        .run(null, false);
  }

  private static double[] rounded(AdaptedModel model, Tensor vector) {
    double[] values = new double[Math.toIntExact(vector.elements())];
    model.backend().download(vector, Tensor.of(vector.shape(), values));
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) values[i];
    }
    return values;
  }
}
