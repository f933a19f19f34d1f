package dev.lethe.replay.prepare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Golden;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.replay.MemoryLog;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same prepared operators on every backend, against float64. */
class PreparedOperatorsTest {
  private static final long SEED = 93;
  private static final TinyModels.Dims DIMS = new TinyModels.Dims(2, 64, 48, 2, 1, 23, 64, "");
  private static final PreparationSettings SETTINGS =
      new PreparationSettings(12, 2, 0, 2, 3, SEED);

  @TempDir Path dir;

  @ParameterizedTest(name = "{0}")
  @CsvSource({"cpu, 1e-5", "F32, 1e-5", "BF16, 3e-2"})
  void productsAgreeWithTheReference(String name, double bound) {
    Path folder = TinyModels.writeFolder(dir.resolve("model"), DIMS, SEED);
    double[] expected;
    try (Backend reference = Backends.select("reference", BackendOptions.DEFAULT)) {
      expected = products(reference, folder, true);
    }
    try (Backend backend = open(name)) {
      double relative = Golden.relative(products(backend, folder, false), expected);
      assertTrue(relative <= bound, name + ", seed " + SEED + ": " + relative);
    }
  }

  private static Backend open(String name) {
    return name.equals("cpu")
        ? Backends.select(name, new BackendOptions(2))
        : EmulatedBackends.open(DType.valueOf(name));
  }

  private double[] products(Backend backend, Path folder, boolean prepare) {
    try (HfModelFolder files = HfModelFolder.open(folder);
        LanguageModel base = LanguageModel.open(files, backend);
        LoraAdapter adapter = TinyModels.adapter(base, 4, 8, TinyModels.ALL_TARGETS, SEED);
        Scope scope = backend.openScope("test")) {
      AdaptedModel model = new AdaptedModel(base, adapter);
      List<Sample> samples = TinyModels.samples(9, 23, 4, 11, SEED);
      MemoryLog log = log(samples, model.layout().size());
      Path operators = dir.resolve("operators");
      if (prepare) {
        new Preparation(operators, log, model, samples, SETTINGS, BatchLimits.DEFAULT)
            .run(PreparationMonitor.NONE);
      }
      Tensor d = scope.allocate(backend.vectorType(), 3, model.layout().size());
      TinyModels.randomize(backend, d, 1, SEED);
      Tensor out = scope.allocate(backend.vectorType(), d.shape());
      backend.vectors().fill(out, 0);
      try (PreparedOperators prepared = PreparedOperators.open(operators, log, model)) {
        prepared.operator().addProduct(1, d, 1, out);
      }
      double[] values = new double[(int) out.elements()];
      backend.download(out, Tensor.of(out.shape(), values));
      return values;
    }
  }

  /** Four steps of random gradients. */
  private static MemoryLog log(List<Sample> samples, long parameters) {
    SplittableRandom random = new SplittableRandom(SEED);
    double[] initial = random.doubles(parameters, -0.3, 0.3).map(x -> (float) x).toArray();
    List<LoggedRow> rows = samples.stream().map(s -> new LoggedRow(s.id(), s.hash())).toList();
    MemoryLog log =
        new MemoryLog(TrainOptions.DEFAULT, rows, Tensor.of(Shape.of(initial.length), initial));
    for (int k = 0; k < 4; k++) {
      double[] gradient = random.doubles(parameters, -1, 1).map(x -> (float) x).toArray();
      log.add(new LoggedStep(0.01, new int[] {k, 8 - k}, new double[] {0.5, 0.5}), gradient);
    }
    return log;
  }

  /** From 500 steps on, or 200 of many parameters. */
  @Test
  void whereARunIsLong() {
    PreparationSettings settings = PreparationSettings.DEFAULT;
    long many = 16L * settings.sketchRows() + 1;
    assertTrue(PreparationPlan.many(many, settings));
    assertFalse(PreparationPlan.many(many - 1, settings));
    assertTrue(PreparationPlan.longRun(500, false));
    assertFalse(PreparationPlan.longRun(499, false));
    assertTrue(PreparationPlan.longRun(200, true));
    assertFalse(PreparationPlan.longRun(199, true));
  }

  @Test
  void theSketchIsShrunkMoreWhereItHasFewRows() {
    assertEquals(0.3, PreparedOperators.shrinkage(2000, 1500));
    assertEquals(0.3, PreparedOperators.shrinkage(2000, 8000));
    assertEquals(0.4, PreparedOperators.shrinkage(2000, 16_000), 1e-12);
    assertEquals(0.5, PreparedOperators.shrinkage(2000, 32_000), 1e-12);
    assertEquals(0.5, PreparedOperators.shrinkage(2000, 11_000_000));
  }
}
