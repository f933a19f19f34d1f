package dev.lethe.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Training of a tiny random Llama on the reference backend. */
class TrainerTest {
  private static final long SEED = 31;
  private static final TrainOptions OPTIONS =
      TrainOptions.builder()
          .learningRate(0.01)
          .schedule(Schedule.COSINE)
          .warmupSteps(2)
          .epochs(2)
          .batchSize(2)
          .accumulation(2)
          .weightDecay(0.01)
          .momentum(0.9)
          .seed(9)
          .build();

  @TempDir Path dir;
  private Backend backend;
  private TinyModels.Tiny tiny;
  private List<Sample> samples;

  @BeforeEach
  void open() {
    backend = Backends.select("reference", BackendOptions.DEFAULT);
    TinyModels.Dims dims = new TinyModels.Dims(1, 8, 11, 2, 1, 13, 32, "");
    tiny = TinyModels.open(dir.resolve("model"), dims, backend, SEED);
    samples = TinyModels.samples(11, 13, 4, 9, SEED);
  }

  @AfterEach
  void close() {
    tiny.close();
    backend.close();
  }

  @ParameterizedTest
  @CsvSource({"ADAMW,0", "ADAMW,1", "ADAMW,4", "SGD,3", "SGD,5"})
  void stoppedAndResumedToTheSameBytes(OptimizerKind kind, int stopAfter) throws IOException {
    TrainOptions options = OPTIONS.toBuilder().optimizer(kind).build();
    Map<String, byte[]> whole;
    double[] theta;
    try (LoraAdapter adapter = adapter(0.2)) {
      TrainingResult result = train(adapter, options, TrainMonitor.NONE, null, false);
      assertTrue(result.completed());
      assertEquals(6, result.record().steps());
      theta = adapter.theta().toDoubles();
      whole = recordFiles(result, "whole");
    }
    Path checkpoints = dir.resolve("checkpoints");
    try (LoraAdapter adapter = adapter(0.2)) {
      Log log = new Log(stopAfter);
      assertFalse(train(adapter, options, log, checkpoints, false).completed());
      assertEquals(stopAfter, log.steps.size());
    }
    try (LoraAdapter adapter = adapter(0.2)) {
      backend.vectors().fill(adapter.theta(), 7);
      Log log = new Log(-1);
      TrainingResult result = train(adapter, options, log, checkpoints, true);
      assertTrue(result.completed());
      assertEquals(6 - stopAfter, log.steps.size());
      assertArrayEquals(theta, adapter.theta().toDoubles());
      Map<String, byte[]> resumed = recordFiles(result, "resumed");
      assertEquals(whole.keySet(), resumed.keySet());
      whole.forEach((name, bytes) -> assertArrayEquals(bytes, resumed.get(name), name));
    }
  }

  @Test
  void onlyTheNewestCheckpointStays() throws IOException {
    Path checkpoints = dir.resolve("checkpoints");
    TrainOptions options = OPTIONS.toBuilder().checkpointEverySteps(2).build();
    try (LoraAdapter adapter = adapter(0)) {
      train(adapter, options, TrainMonitor.NONE, checkpoints, false);
    }
    try (Stream<Path> left = Files.list(checkpoints)) {
      assertEquals(List.of("step-00000004"), left.map(p -> p.getFileName().toString()).toList());
    }
  }

  @Test
  void anotherRunsCheckpointIsRefused() {
    Path checkpoints = dir.resolve("checkpoints");
    try (LoraAdapter adapter = adapter(0)) {
      train(adapter, OPTIONS, new Log(2), checkpoints, false);
      TrainOptions other = OPTIONS.toBuilder().learningRate(0.02).build();
      refused("its options differs", () -> train(adapter, other, new Log(3), checkpoints, true));
      samples = samples.subList(1, 11);
      refused("its data differs", () -> train(adapter, OPTIONS, new Log(3), checkpoints, true));
      refused("earlier run", () -> train(adapter, OPTIONS, new Log(3), checkpoints, false));
      Path empty = dir.resolve("empty");
      refused("nothing to resume", () -> train(adapter, OPTIONS, new Log(3), empty, true));
    }
  }

  @Test
  void dropoutIsAFunctionOfTheSeedAndOfTrainingOnly() {
    double[] first = trained(0.3, OPTIONS);
    assertArrayEquals(first, trained(0.3, OPTIONS));
    assertFalse(Arrays.equals(first, trained(0, OPTIONS)));
    TrainOptions unshuffled = OPTIONS.toBuilder().shuffle(false).build();
    double[] seedNine = trained(0.3, unshuffled);
    double[] seedTen = trained(0.3, unshuffled.toBuilder().seed(10).build());
    assertFalse(Arrays.equals(seedNine, seedTen), "masks must follow the seed");
  }

  @Test
  void accumulationIsALargerBatch() {
    for (double dropout : new double[] {0, 0.3}) {
      double[] parts = trained(dropout, OPTIONS);
      double[] whole =
          trained(dropout, OPTIONS.toBuilder().batchSize(4).accumulation(1).build());
      assertArrayEquals(whole, parts, 1e-12, "dropout " + dropout);
    }
  }

  @Test
  void stepsReportLossRateAndNorm() {
    try (LoraAdapter adapter = adapter(0)) {
      Log log = new Log(-1);
      TrainOptions options =
          OPTIONS.toBuilder().maxSteps(40).warmupSteps(0).batchSize(11).accumulation(1).build();
      TrainingResult result = train(adapter, options, log, null, false);
      assertEquals(40, log.steps.size());
      StepLog first = log.steps.getFirst();
      assertEquals(0.01, first.learningRate());
      assertEquals(1, first.epoch());
      assertTrue(first.gradientNorm() > 0 && first.tokensPerSecond() > 0);
      assertTrue(log.steps.getLast().loss() < 0.93 * first.loss(), log.steps.getLast().toString());
      double sum = log.steps.stream().mapToDouble(StepLog::learningRate).sum();
      assertEquals(sum, result.record().learningRateSum(), 1e-15);
    }
  }

  @Test
  void clippingBoundsTheStepAsTorchDoes() {
    TrainOptions plain =
        TrainOptions.builder()
            .optimizer(OptimizerKind.SGD)
            .schedule(Schedule.CONSTANT)
            .learningRate(1)
            .maxSteps(1)
            .batchSize(16)
            .clip(1e-3)
            .build();
    try (LoraAdapter adapter = adapter(0)) {
      double[] before = adapter.theta().toDoubles();
      Log log = new Log(-1);
      train(adapter, plain, log, null, false);
      double[] after = adapter.theta().toDoubles();
      double square = 0;
      for (int i = 0; i < after.length; i++) {
        square += (after[i] - before[i]) * (after[i] - before[i]);
      }
      double norm = log.steps.getFirst().gradientNorm();
      assertTrue(norm > 1e-2);
      assertEquals(1e-3 * norm / (norm + 1e-6), Math.sqrt(square), 1e-12);
    }
  }

  @Test
  void aLossThatIsNotFiniteNamesStepAndSample() {
    try (LoraAdapter adapter = adapter(0)) {
      adapter.theta().set(0, Double.NaN);
      TrainOptions options = OPTIONS.toBuilder().shuffle(false).build();
      LetheException e =
          assertThrows(
              LetheException.class,
              () -> train(adapter, options, TrainMonitor.NONE, null, false));
      assertTrue(e.getMessage().startsWith("training step 1, sample '0'"), e.getMessage());
    }
  }

  @Test
  void orderOfTheRestDoesNotDependOnWhoIsThere() {
    SampleOrder all = new SampleOrder(samples, 4, true);
    List<Sample> without = new ArrayList<>(samples);
    Sample gone = without.remove(5);
    SampleOrder fewer = new SampleOrder(without, 4, true);
    for (int epoch = 0; epoch < 3; epoch++) {
      List<Sample> expected = ordered(all, samples, epoch);
      assertTrue(expected.remove(gone));
      assertEquals(expected, ordered(fewer, without, epoch));
    }
    assertNotEquals(ordered(all, samples, 0), ordered(all, samples, 1));
    SampleOrder other = new SampleOrder(samples, 5, true);
    assertNotEquals(ordered(all, samples, 0), ordered(other, samples, 0));
  }

  private static List<Sample> ordered(SampleOrder order, List<Sample> rows, long epoch) {
    List<Sample> ordered = new ArrayList<>();
    for (int place : order.places(epoch)) {
      ordered.add(rows.get(place));
    }
    return ordered;
  }

  @ParameterizedTest
  @EnumSource(OptimizerKind.class)
  void recordSurvivesItsFileAndGivesADamping(OptimizerKind kind) throws IOException {
    try (LoraAdapter adapter = adapter(0)) {
      TrainOptions options = OPTIONS.toBuilder().optimizer(kind).build();
      TrainingResult result = train(adapter, options, TrainMonitor.NONE, null, false);
      Path folder = Files.createDirectory(dir.resolve("adapter"));
      assertTrue(TrainingRecord.read(folder).isEmpty());
      result.writeRecord(folder);
      assertEquals(result.record(), TrainingRecord.read(folder).orElseThrow());
      double expected = 1;
      if (kind == OptimizerKind.ADAMW) {
        double sum = 0;
        long count = 0;
        for (Map.Entry<String, Tensor> e : result.optimizerState().entrySet()) {
          if (e.getKey().startsWith("exp_avg_sq/")) {
            for (double v : e.getValue().toDoubles()) {
              sum += Math.sqrt(v / (1 - Math.pow(0.999, 6)));
              count++;
            }
          }
        }
        assertEquals(adapter.layout().size(), count);
        expected = sum / count;
      }
      double damping = expected / result.record().learningRateSum();
      assertEquals(damping, result.record().autoDamping(), 1e-12 * damping);
      boolean moments = Files.exists(folder.resolve("lethe_adamw.safetensors"));
      assertEquals(kind == OptimizerKind.ADAMW, moments);
    }
  }

  private static void refused(String words, Runnable work) {
    LetheException e = assertThrows(LetheException.class, work::run);
    assertTrue(e.getMessage().contains(words), e.getMessage());
  }

  private double[] trained(double dropout, TrainOptions options) {
    try (LoraAdapter adapter = adapter(dropout)) {
      train(adapter, options, TrainMonitor.NONE, null, false);
      return adapter.theta().toDoubles();
    }
  }

  private TrainingResult train(
      LoraAdapter adapter,
      TrainOptions options,
      TrainMonitor listener,
      Path checkpoints,
      boolean resume) {
    AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
    return new Trainer(model, samples, options, listener).run(checkpoints, resume);
  }

  private LoraAdapter adapter(double dropout) {
    List<String> targets = List.of("q_proj", "v_proj", "down_proj");
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, dropout, targets, "tiny");
    return LoraAdapter.create(config, tiny.model(), SEED);
  }

  private Map<String, byte[]> recordFiles(TrainingResult result, String name) throws IOException {
    Path folder = Files.createDirectory(dir.resolve(name));
    result.writeRecord(folder);
    Map<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> entries = Files.list(folder)) {
      for (Path file : entries.toList()) {
        files.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return files;
  }

  /** Keeps the log and interrupts before step {@code stopAfter + 1}. */
  private static final class Log implements TrainMonitor {
    private final List<StepLog> steps = new ArrayList<>();
    private final int stopAfter;

    Log(int stopAfter) {
      this.stopAfter = stopAfter;
    }

    @Override
    public void onStep(StepLog log) {
      steps.add(log);
    }

    @Override
    public boolean interrupted() {
      return steps.size() == stopAfter;
    }
  }
}
