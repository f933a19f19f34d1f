package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.replay.operator.RefreshedOperator;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Recorded replay on a tiny random Llama in float64, against retraining in plain Java. Long because all of it shares that
 * training.
 */
class RecordedReplayTest {
  private static final long SEED = 5;
  private static final int ROWS = 17;
  private static final int BATCH = 4;
  private static final int EPOCHS = 3;

  @TempDir Path dir;
  private Backend backend;
  private TinyModels.Tiny tiny;
  private AdaptedModel model;
  private List<Sample> samples;
  private int[][] order;
  private double[] rates;

  @BeforeEach
  void open() {
    open("reference");
  }

  private void open(String device) {
    backend = Backends.select(device, BackendOptions.DEFAULT);
    tiny = TinyModels.open(dir.resolve(device), TinyModels.Dims.DEFAULT, backend, SEED);
    LoraAdapter adapter =
        TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "v_proj", "down_proj"), SEED);
    model = new AdaptedModel(tiny.model(), adapter);
    samples = TinyModels.samples(ROWS, 23, 5, 9, SEED);
    order = order();
    rates = new double[order.length];
    for (int k = 0; k < rates.length; k++) {
      rates[k] = 0.02 * (1 - (double) k / rates.length);
    }
  }

  @AfterEach
  void close() {
    model.adapter().close();
    tiny.close();
    backend.close();
  }

  private static int[][] order() {
    SplittableRandom random = new SplittableRandom(SEED);
    List<int[]> batches = new ArrayList<>();
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
      List<Integer> rows = new ArrayList<>();
      for (int i = 0; i < ROWS; i++) {
        rows.add(random.nextInt(i + 1), i);
      }
      for (int i = 0; i < ROWS; i += BATCH) {
        batches.add(
            rows.subList(i, Math.min(ROWS, i + BATCH)).stream().mapToInt(Integer::intValue).toArray());
      }
    }
    return batches.toArray(int[][]::new);
  }

  private static TrainOptions options(OptimizerKind kind, double clip, double decay) {
    return TrainOptions.builder()
        .optimizer(kind)
        .clip(clip)
        .weightDecay(decay)
        .momentum(0.8)
        .batchSize(BATCH)
        .epochs(EPOCHS)
        .build();
  }

  private PlainTraining training(TrainOptions options) {
    return new PlainTraining(model, samples, options, order, rates, host(model.adapter().theta()));
  }

  private double[] host(Tensor vector) {
    double[] values = new double[Math.toIntExact(vector.elements())];
    backend.download(vector, Tensor.of(vector.shape(), values));
    return values;
  }

  private ReplayRequest removal(Divisor divisor, int... rows) {
    Map<Integer, RowChange> changes = new java.util.TreeMap<>();
    for (int row : rows) {
      changes.put(row, RowChange.removal(samples.get(row)));
    }
    return new ReplayRequest(changes, divisor);
  }

  /** The row with the tokens of an unseen one. */
  private RowChange replaced(int row) {
    Sample other = TinyModels.samples(ROWS, 23, 5, 9, SEED + 1).get(row);
    Sample named = new Sample(samples.get(row).id(), other.inputIds(), other.labels(), "new");
    return RowChange.of(samples.get(row), named);
  }

  private Replayed replay(MemoryLog log, ReplayOperator operator, ReplayRequest... requests) {
    return new RecordedReplay(log, new ModelGradients(model, TrainOptions.DEFAULT, BatchLimits.DEFAULT), operator, backend)
        .run(List.of(requests), null);
  }

  private static double error(Tensor difference, double[] trained, double[] retrained) {
    double error = 0;
    double size = 0;
    for (int i = 0; i < trained.length; i++) {
      double expected = retrained[i] - trained[i];
      error += Math.pow(difference.get(i) - expected, 2);
      size += expected * expected;
    }
    return Math.sqrt(error / size);
  }

  @ParameterizedTest
  @CsvSource({"ADAMW, 0, 0", "ADAMW, 0.5, 0.1", "SGD, 0, 0", "SGD, 0.5, 0.1"})
  void withTheTrueDifferenceItIsRetraining(OptimizerKind kind, double clip, double decay) {
    PlainTraining training = training(options(kind, clip, decay));
    PlainTraining.Run trained = training.run();
    Map<Integer, RowChange> both =
        Map.of(2, replaced(2), 5, replaced(5), 7, RowChange.removal(samples.get(7)));
    List<ReplayRequest> requests =
        List.of(
            removal(Divisor.KEEP, 3, 11),
            removal(Divisor.SHRINK, 3, 11),
            removal(Divisor.SHRINK, order[4]),
            removal(Divisor.KEEP, order[4]),
            new ReplayRequest(both, Divisor.KEEP),
            new ReplayRequest(both, Divisor.SHRINK));
    ReplayOperator exact = TestOperators.trueDifference(training, trained, order, requests);
    Replayed replayed = replay(trained.log(), exact, requests.toArray(ReplayRequest[]::new));
    for (int j = 0; j < requests.size(); j++) {
      double error =
          error(replayed.differences().row(j), trained.end(), training.run(requests.get(j)).end());
      assertTrue(error <= 1e-10, "seed %d, request %d: %s".formatted(SEED, j, error));
    }
  }

  @Test
  void anEmptyRequestChangesNoBit() {
    PlainTraining.Run trained = training(options(OptimizerKind.ADAMW, 0.5, 0.1)).run();
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    Replayed alone = replay(trained.log(), hessian, removal(Divisor.KEEP));
    Replayed beside = replay(trained.log(), hessian, removal(Divisor.KEEP), removal(Divisor.KEEP, 3));
    assertArrayEquals(new double[alone.differences().toDoubles().length], alone.differences().toDoubles());
    assertArrayEquals(alone.differences().row(0).toDoubles(), beside.differences().row(0).toDoubles());
    assertEquals(0, alone.rowGradients());
    assertEquals(EPOCHS, beside.rowGradients());
  }

  @Test
  void columnsAreSingleRequests() {
    PlainTraining.Run trained = training(options(OptimizerKind.ADAMW, 0.5, 0.1)).run();
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    ReplayRequest[] requests = {removal(Divisor.KEEP, 3), removal(Divisor.SHRINK, 3, 8), removal(Divisor.KEEP, 14)};
    Replayed together = replay(trained.log(), hessian, requests);
    for (int j = 0; j < requests.length; j++) {
      double[] alone = replay(trained.log(), hessian, requests[j]).differences().row(0).toDoubles();
      assertArrayEquals(alone, together.differences().row(j).toDoubles(), 1e-12, "request " + j);
    }
  }

  @Test
  void aLittleLessWeightIsTheFirstOrder() {
    PlainTraining training = training(options(OptimizerKind.ADAMW, 0, 0.01));
    PlainTraining.Run trained = training.run();
    ReplayRequest soft =
        new ReplayRequest(Map.of(3, new RowChange(samples.get(3), null, 1e-4)), Divisor.KEEP);
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    Replayed replayed = replay(trained.log(), hessian, soft);
    double error = error(replayed.differences().row(0), trained.end(), training.run(soft).end());
    assertTrue(error <= 1e-4, "seed %d: %s".formatted(SEED, error));
  }

  @Test
  void theCurvatureMatters() {
    PlainTraining training = training(options(OptimizerKind.ADAMW, 1, 0));
    PlainTraining.Run trained = training.run();
    ReplayRequest request = removal(Divisor.KEEP, 3, 11);
    double[] retrained = training.run(request).end();
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    double with = error(replay(trained.log(), hessian, request).differences().row(0), trained.end(), retrained);
    double without =
        error(
            replay(trained.log(), TestOperators.none(), request).differences().row(0),
            trained.end(),
            retrained);
    assertTrue(with < 0.8 * without, "seed %d: %s with, %s without".formatted(SEED, with, without));
  }

  @Test
  void theNewLogReplaysToTheNewParameters() {
    PlainTraining training = training(options(OptimizerKind.ADAMW, 0.5, 0.1));
    PlainTraining.Run trained = training.run();
    for (ReplayRequest request :
        List.of(removal(Divisor.KEEP, 3, 11), removal(Divisor.SHRINK, order[4]), removal(Divisor.KEEP, order[4]))) {
      ReplayOperator exact = TestOperators.trueDifference(training, trained, order, List.of(request));
      MemoryLog next = new MemoryLog(trained.log().options(), trained.log().rows(), trained.log().initial());
      Replayed replayed =
          new RecordedReplay(trained.log(), new ModelGradients(model, TrainOptions.DEFAULT, BatchLimits.DEFAULT), exact, backend)
              .run(List.of(request), (k, step, g) -> next.add(step, host(g)));
      PlainTraining.Run retrained = training.run(request);
      assertEquals(retrained.log().steps(), next.steps());
      for (int k = 0; k < next.steps(); k++) {
        assertArrayEquals(retrained.log().step(k).weights(), next.step(k).weights(), 1e-15, "step " + k);
        assertArrayEquals(
            retrained.log().gradient(k).toDoubles(), next.gradient(k).toDoubles(), 1e-9, "step " + k);
      }
      assertTrue(error(replayed.differences().row(0), trained.end(), retrained.end()) < 1e-9);
    }
  }

  @Test
  void aRetrainedHeadIsGoneOnFrom() {
    PlainTraining training = training(options(OptimizerKind.SGD, 0, 0.1));
    PlainTraining.Run trained = training.run();
    ReplayRequest request = removal(Divisor.KEEP, 3, 11);
    PlainTraining.Run retrained = training.run(request);
    int head = 6;
    double[] buffer = new double[trained.end().length];
    for (int i = 0; i < buffer.length; i++) {
      buffer[i] = (retrained.thetas().get(head - 1)[i] - retrained.thetas().get(head)[i]) / rates[head - 1];
    }
    ReplayStart start =
        new ReplayStart(head, head, row(retrained.thetas().get(head)), row(buffer), null);
    ReplayOperator exact = TestOperators.trueDifference(training, trained, order, List.of(request));
    Replayed replayed =
        new RecordedReplay(trained.log(), new ModelGradients(model, TrainOptions.DEFAULT, BatchLimits.DEFAULT), exact, backend)
            .from(start)
            .run(List.of(request), null);
    double error = error(replayed.differences().row(0), trained.end(), retrained.end());
    assertTrue(error <= 1e-9, "seed %d: %s".formatted(SEED, error));
  }

  private static Tensor row(double[] values) {
    return Tensor.of(dev.lethe.tensor.Shape.of(1, values.length), values);
  }

  @Test
  void anOldProductIsKeptBetweenRefreshes() {
    PlainTraining training = training(options(OptimizerKind.ADAMW, 1, 0));
    PlainTraining.Run trained = training.run();
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    ReplayRequest request = removal(Divisor.KEEP, 3, 11);
    double[] each = replay(trained.log(), hessian, request).differences().toDoubles();
    try (RefreshedOperator every = new RefreshedOperator(hessian, null, 0.1, 1, backend);
        RefreshedOperator third = new RefreshedOperator(hessian, null, 0.1, 3, backend)) {
      assertArrayEquals(each, replay(trained.log(), every, request).differences().toDoubles());
      double[] kept = replay(trained.log(), third, request).differences().toDoubles();
      double[] end = trained.end();
      double[] expected = new double[end.length];
      for (int i = 0; i < end.length; i++) {
        expected[i] = end[i] + each[i];
      }
      double error = error(Tensor.of(dev.lethe.tensor.Shape.of(kept.length), kept), end, expected);
      assertTrue(error > 1e-6 && error < 0.5, "seed %d: %s".formatted(SEED, error));
    }
  }

  @Test
  void aTurnOfTheDirectionCallsForANewProduct() {
    PlainTraining training = training(options(OptimizerKind.ADAMW, 1, 0));
    PlainTraining.Run trained = training.run();
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    ReplayRequest request = removal(Divisor.KEEP, 3, 11);
    AtomicInteger products = new AtomicInteger();
    ReplayOperator counted =
        new ReplayOperator() {
          @Override
          public String name() {
            return "counted";
          }

          @Override
          public void addProduct(int step, Tensor d, double scale, Tensor out) {
            products.incrementAndGet();
            hessian.addProduct(0, d, scale, out);
          }

          @Override
          public void close() {}
        };
    double[] each = replay(trained.log(), counted, request).differences().toDoubles();
    int all = products.getAndSet(0);
    try (RefreshedOperator turned =
        new RefreshedOperator(counted, null, 0.1, RefreshedOperator.BY_TURN, backend)) {
      double[] kept = replay(trained.log(), turned, request).differences().toDoubles();
      double[] start = new double[each.length];
      double error = error(Tensor.of(dev.lethe.tensor.Shape.of(kept.length), kept), start, each);
      assertTrue(
          products.get() > 1 && products.get() < all && error < 0.1,
          "seed %d: %d of %d products, error %s".formatted(SEED, products.get(), all, error));
    }
  }

  @Test
  void rowsRemovedBeforeAreRefused() {
    PlainTraining.Run trained = training(options(OptimizerKind.ADAMW, 1, 0)).run();
    List<LoggedRow> rows = new ArrayList<>(trained.log().rows());
    rows.set(3, new LoggedRow("3", ""));
    MemoryLog log = new MemoryLog(trained.log().options(), rows, trained.log().initial());
    LetheException e =
        assertThrows(
            LetheException.class, () -> replay(log, TestOperators.none(), removal(Divisor.KEEP, 3)));
    assertTrue(e.getMessage().contains("row '3'"), e.getMessage());
  }

  @Test
  void float32ComesCloseToFloat64() {
    TrainOptions options = options(OptimizerKind.ADAMW, 0.5, 0.1);
    PlainTraining.Run trained = training(options).run();
    ReplayRequest request = removal(Divisor.KEEP, 3, 11);
    ReplayOperator hessian = TestOperators.batchHessian(model, samples, trained, order);
    double[] expected = replay(trained.log(), hessian, request).differences().toDoubles();
    close();
    open("cpu");
    ReplayOperator single = TestOperators.batchHessian(model, samples, trained, order);
    Replayed got = replay(trained.log(), single, request);
    double error = error(got.differences().row(0), new double[expected.length], expected);
    assertTrue(error <= 1e-4, "seed %d: %s".formatted(SEED, error));
  }

  @Test
  void theStepTellsItsWeights() {
    LoggedStep step = new LoggedStep(0.1, new int[] {3, 4}, new double[] {0.5, 0.5});
    StepChange keeps = StepChange.of(step, List.of(removal(Divisor.KEEP, 3)));
    StepChange shrinks = StepChange.of(step, List.of(removal(Divisor.SHRINK, 3)));
    assertArrayEquals(new double[] {-0.5}, keeps.weights()[0]);
    assertArrayEquals(new double[] {-1}, shrinks.weights()[0]);
    assertEquals(0.5, keeps.shares()[0]);
    assertEquals(2, shrinks.factors()[0]);
    assertTrue(Double.isNaN(StepChange.of(step, List.of(removal(Divisor.SHRINK, 3, 4))).factors()[0]));
    assertTrue(Arrays.equals(new double[] {0.5}, StepChange.of(step, List.of(removal(Divisor.KEEP, 9, 3))).shares()));
  }
}
