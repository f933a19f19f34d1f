package dev.lethe.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A training without rows, or with others in their place, against the same training by hand with a weight
 * for every row, in float64. Eleven rows in batches of two parts of two: rows 0 to 3 are a whole batch,
 * rows 4 and 5 a part.
 */
class ExactReplayTest {
  private static final long SEED = 47;
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
          .momentum(0.9)
          .seed(9)
          .shuffle(false)
          .build();
  private static final Set<String> GONE = Set.of("0", "1", "2", "3", "4", "5", "9");

  @TempDir Path dir;
  private Backend backend;
  private TinyModels.Tiny tiny;
  private List<Sample> rows;

  @BeforeEach
  void open() {
    backend = Backends.select("reference", BackendOptions.DEFAULT);
    TinyModels.Dims dims = new TinyModels.Dims(1, 8, 11, 2, 1, 13, 32, "");
    tiny = TinyModels.open(dir.resolve("model"), dims, backend, SEED);
    rows = TinyModels.samples(11, 13, 4, 9, SEED);
  }

  @AfterEach
  void close() {
    tiny.close();
    backend.close();
  }

  @ParameterizedTest
  @CsvSource({"ADAMW,KEEP", "ADAMW,SHRINK", "SGD,KEEP", "SGD,SHRINK"})
  void isTheTrainingByHandWithWeights(OptimizerKind kind, Divisor divisor) throws IOException {
    TrainOptions options = OPTIONS.toBuilder().optimizer(kind).build();
    Map<String, Sample> others = Map.of("7", other("7"));
    RowEdits edits = new RowEdits(GONE, others, divisor);
    try (LoraAdapter trained = adapter();
        LoraAdapter byHand = adapter()) {
      List<StepLog> logs = new ArrayList<>();
      TrainingResult result = train(trained, options, edits, logs);
      TrainingRecord record = result.record();
      final long done = byHand(byHand, options, divisor, others);
      double[] expected = byHand.theta().toDoubles();
      assertArrayEquals(expected, trained.theta().toDoubles(), 1e-13, "seed " + SEED);
      assertEquals(divisor == Divisor.KEEP ? 6 : 4, done);
      assertEquals(done, record.steps());
      assertEquals(6, logs.size());
      assertTrue(Double.isNaN(logs.get(0).loss()) && Double.isNaN(logs.get(3).loss()));
      assertFalse(Double.isNaN(logs.get(1).loss()));
      assertEquals(4, record.n());
      assertEquals(new TrainingRecord.Edits(11, 7, 1, divisor), record.edits());
      Path folder = Files.createDirectory(dir.resolve("record"));
      result.writeRecord(folder);
      assertEquals(record, TrainingRecord.read(folder).orElseThrow());
      List<Sample> target = List.of(rows.get(6), others.get("7"), rows.get(8), rows.get(10));
      assertEquals(TrainingRecord.dataSha256(target), record.dataSha256());
    }
  }

  /** One row a pass, each with its weight; returns the number of steps. */
  private long byHand(
      LoraAdapter adapter, TrainOptions options, Divisor divisor, Map<String, Sample> others) {
    AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
    long done = 0;
    try (Scope scope = backend.openScope("by hand")) {
      long size = adapter.layout().size();
      Tensor g = scope.allocate(backend.vectorType(), size);
      Optimizer optimizer = Optimizer.of(options, backend, scope, size);
      for (int step = 0; step < 6; step++) {
        List<Sample> members = rows.subList(step % 3 * 4, Math.min(11, step % 3 * 4 + 4));
        List<Sample> left = members.stream().filter(row -> !GONE.contains(row.id())).toList();
        if (left.isEmpty() && divisor == Divisor.SHRINK) {
          continue;
        }
        double weight = 1.0 / (divisor == Divisor.KEEP ? members.size() : left.size());
        backend.vectors().fill(g, 0);
        for (Sample row : left) {
          try (Batch batch =
              Batch.of(List.of(others.getOrDefault(row.id(), row)), backend)) {
            Gradients.addGradient(backend, model.tape(batch), adapter.theta(), weight, g);
          }
        }
        double norm = backend.vectors().norm(g);
        backend.vectors().scale(Math.min(1, options.clip() / (norm + 1e-6)), g);
        double rate = options.learningRate() * options.schedule().factor(step, 2, 6);
        optimizer.step(rate, ++done, adapter.theta(), g);
      }
    }
    return done;
  }

  @Test
  void noEditsAndARowReplacedByItselfChangeNoBit() {
    Sample same = new Sample("6", rows.get(6).inputIds(), rows.get(6).labels(), "other");
    double[] plain = trained(RowEdits.NONE);
    try (LoraAdapter adapter = adapter()) {
      new Trainer(model(adapter), rows, OPTIONS, TrainMonitor.NONE).run(null, false);
      assertArrayEquals(adapter.theta().toDoubles(), plain);
    }
    assertArrayEquals(plain, trained(new RowEdits(Set.of(), Map.of("6", same), Divisor.KEEP)));
    assertFalse(Arrays.equals(plain, trained(new RowEdits(Set.of("6"), Map.of(), Divisor.KEEP))));
  }

  @ParameterizedTest
  @CsvSource({"KEEP,1", "SHRINK,1", "SHRINK,4"})
  void resumesToTheSameBytes(Divisor divisor, int stopAfter) {
    RowEdits edits = new RowEdits(GONE, Map.of("7", other("7")), divisor);
    double[] whole = trained(edits);
    Path checkpoints = dir.resolve("checkpoints");
    TrainingPlan plan = TrainingPlan.of(rows, OPTIONS);
    try (LoraAdapter adapter = adapter()) {
      TrainMonitor stop = stopAfter(stopAfter);
      new Trainer(model(adapter), plan, OPTIONS, edits, stop).run(checkpoints, false);
    }
    try (LoraAdapter adapter = adapter()) {
      Trainer trainer = new Trainer(model(adapter), plan, OPTIONS, edits, TrainMonitor.NONE);
      TrainingResult result = trainer.run(checkpoints, true);
      assertArrayEquals(whole, adapter.theta().toDoubles());
      assertEquals(divisor == Divisor.KEEP ? 6 : 4, result.record().steps());
    }
    try (LoraAdapter adapter = adapter()) {
      Trainer trainer =
          new Trainer(model(adapter), plan, OPTIONS, RowEdits.NONE, TrainMonitor.NONE);
      String message =
          assertThrows(LetheException.class, () -> trainer.run(checkpoints, true))
              .getMessage();
      assertTrue(message.contains("its edits differs"), message);
    }
  }

  @Test
  void startsFromAStateBeforeTheFirstEdit() {
    RowEdits edits = new RowEdits(Set.of("8", "9"), Map.of(), Divisor.KEEP);
    double[] whole = trained(edits);
    TrainingPlan plan = TrainingPlan.of(rows, OPTIONS);
    Map<Long, StoredState> states = new HashMap<>();
    TrainingSink keep =
        new TrainingSink() {
          @Override
          public void afterStep(long done, Supplier<Map<String, Tensor>> state) {
            states.put(done, new StoredState(done, state.get(), "state"));
          }
        };
    try (LoraAdapter adapter = adapter()) {
      new Trainer(model(adapter), plan, OPTIONS, RowEdits.NONE, TrainMonitor.NONE)
          .keep(keep)
          .run(null, false);
    }
    try (LoraAdapter adapter = adapter()) {
      backend.vectors().fill(adapter.theta(), Double.NaN);
      Trainer trainer = new Trainer(model(adapter), plan, OPTIONS, edits, TrainMonitor.NONE);
      TrainingRecord record = trainer.run(states.get(2L)).record();
      assertArrayEquals(whole, adapter.theta().toDoubles());
      assertEquals(6, record.steps());
      double rates = LongStream.range(0, 6).mapToDouble(k -> plan.step(k).rate()).sum();
      assertEquals(rates, record.learningRateSum(), 1e-15);
    }
  }

  @Test
  void weightsWithoutRows() {
    double[] fifth = {0.2, 0.2, 0.2, 0.2, 0.2};
    boolean[] gone = {true, false, false, true, false};
    assertArrayEquals(new double[] {0, .2, .2, 0, .2}, Divisor.KEEP.weights(fifth, gone));
    double third = 1.0 / 3;
    double[] shrunk = {0, third, third, 0, third};
    assertArrayEquals(shrunk, Divisor.SHRINK.weights(fifth, gone));
    boolean[] more = {true, true, false, true, false};
    assertArrayEquals(new double[] {0, 0, .5, 0, .5}, Divisor.SHRINK.weights(shrunk, more));
    double[] tokens = {0.5, 0.3, 0.2};
    double[] left = Divisor.SHRINK.weights(tokens, new boolean[] {false, true, false});
    assertArrayEquals(new double[] {0.5 / 0.7, 0, 0.2 / 0.7}, left, 1e-15);
    boolean[] all = {true, true, true};
    assertArrayEquals(new double[3], Divisor.SHRINK.weights(tokens, all));
    assertArrayEquals(tokens, Divisor.SHRINK.weights(tokens, new boolean[3]));
  }

  @Test
  void partsBelongToTheOriginalSlots() {
    TrainingPlan plan = TrainingPlan.of(rows, OPTIONS);
    assertEquals(6, plan.steps());
    assertArrayEquals(new int[] {2, 3}, plan.step(2).partEnds());
    assertArrayEquals(new int[] {4, 5, 6, 7}, plan.step(4).rows());
    List<TrainingPlan.Slice> slices =
        plan.step(1).withWeights(new double[] {0, 0, 0.25, 0.5}).slices();
    assertEquals(1, slices.size());
    assertEquals(1, slices.getFirst().part(), "an emptied part keeps its number");
    assertArrayEquals(new int[] {6, 7}, slices.getFirst().rows());
    assertArrayEquals(new double[] {0.25, 0.5}, slices.getFirst().weights());
    int[] tokens = new int[5000];
    Sample one = new Sample("l", tokens, tokens, "");
    Sample two = new Sample("m", tokens, tokens, "");
    List<Sample> longRows = List.of(rows.get(0), one, two);
    assertArrayEquals(new int[] {2, 3}, TrainingPlan.partEnds(longRows, 8));
  }

  private double[] trained(RowEdits edits) {
    try (LoraAdapter adapter = adapter()) {
      train(adapter, OPTIONS, edits, new ArrayList<>());
      return adapter.theta().toDoubles();
    }
  }

  private TrainingResult train(
      LoraAdapter adapter, TrainOptions options, RowEdits edits, List<StepLog> logs) {
    TrainMonitor listener =
        new TrainMonitor() {
          @Override
          public void onStep(StepLog log) {
            logs.add(log);
          }
        };
    TrainingPlan plan = TrainingPlan.of(rows, options);
    return new Trainer(model(adapter), plan, options, edits, listener).run(null, false);
  }

  private static TrainMonitor stopAfter(int steps) {
    return new TrainMonitor() {
      private int done;

      @Override
      public void onStep(StepLog log) {
        done++;
      }

      @Override
      public boolean interrupted() {
        return done == steps;
      }
    };
  }

  private Sample other(String id) {
    Sample longer = TinyModels.samples(1, 13, 12, 12, SEED + 1).getFirst();
    return new Sample(id, longer.inputIds(), longer.labels(), "other");
  }

  private AdaptedModel model(LoraAdapter adapter) {
    return new AdaptedModel(tiny.model(), adapter);
  }

  private LoraAdapter adapter() {
    List<String> targets = List.of("q_proj", "v_proj", "down_proj");
    return TinyModels.adapter(
        PeftAdapterConfig.create(2, 4, 0, targets, "tiny"), tiny.model(), SEED);
  }
}
