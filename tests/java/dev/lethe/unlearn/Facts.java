package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.solve.LevenbergMarquardt;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A tiny model in float64 and an adapter at a minimum of what it was trained on: sixty facts "a b →
 * v", a quarter of them against the rule that the others follow. Training is 200 steps of gradient
 * descent from a fixed seed, which chooses the valley, then Newton steps to its floor.
 */
final class Facts implements AutoCloseable {
  static final int ROWS = 60;
  static final double WEIGHT_DECAY = 0.01;
  static final MemoryBudget MEMORY = new MemoryBudget(1L << 28);

  private static final int VOCABULARY = 23;
  private static final long SEED = 9;

  final Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
  final TinyModels.Tiny tiny;
  final List<Sample> data = facts();
  final AdaptedModel model;
  private final List<LoraAdapter> adapters = new ArrayList<>();

  Facts(Path dir) {
    TinyModels.Dims dims = new TinyModels.Dims(1, 12, 17, 2, 1, VOCABULARY, 64, "");
    tiny = TinyModels.open(dir, dims, backend, 3);
    model = new AdaptedModel(tiny.model(), trained(data, WEIGHT_DECAY));
  }

  /** An adapter at a minimum, from the one seed; closed with this. */
  LoraAdapter trained(List<Sample> rows, double weightDecay) {
    LoraAdapter adapter = fresh(5);
    AdaptedModel adapted = new AdaptedModel(tiny.model(), adapter);
    TrainOptions descent =
        TrainOptions.builder()
            .optimizer(OptimizerKind.SGD)
            .learningRate(0.2)
            .momentum(0.9)
            .schedule(Schedule.CONSTANT)
            .maxSteps(200)
            .batchSize(rows.size())
            .clip(0)
            .weightDecay(weightDecay)
            .build();
    new Trainer(adapted, rows, descent, TrainMonitor.NONE).run(null, false);
    DatasetLoss loss = new DatasetLoss(adapted, rows, BatchLimits.DEFAULT);
    LevenbergMarquardt.Result floor =
        new LevenbergMarquardt(
                loss,
                new LevenbergMarquardt.Options(
                    weightDecay, 1e-9, 60, Curvature.HESSIAN, 1e-3, 300),
                MEMORY)
            .minimise(adapter.theta(), LevenbergMarquardt.Monitor.NONE);
    if (!floor.converged()) {
      throw new IllegalStateException("no minimum: " + floor);
    }
    return adapter;
  }

  /** An untrained adapter on the last linear layer; closed with this. */
  LoraAdapter fresh(long seed) {
    PeftAdapterConfig config =
        PeftAdapterConfig.create(4, 4, 0.1, List.of("down_proj"), "tiny");
    LoraAdapter adapter = LoraAdapter.create(config, tiny.model(), seed);
    adapters.add(adapter);
    return adapter;
  }

  /** The retrained adapter of a request: same seed, same procedure, other rows. */
  LoraAdapter retrained(UnlearnRequest request) {
    List<Sample> target = request.target();
    return trained(target, WEIGHT_DECAY * ROWS / target.size());
  }

  Eraser.Builder eraser(UnlearnRequest request) {
    return Eraser.builder(model, request)
        .weightDecay(WEIGHT_DECAY)
        .damping(0.002)
        .tolerance(1e-8)
        .maxIterations(2000)
        .memory(MEMORY);
  }

  UnlearnRequest removal(String... ids) {
    return UnlearnRequest.of(data, List.of(ids), List.of());
  }

  UnlearnRequest replacement(Sample... rows) {
    return UnlearnRequest.of(data, List.of(), List.of(rows));
  }

  /** The row with another response. */
  Sample corrected(int row) {
    int[] ids = data.get(row).inputIds();
    return fact(Integer.toString(row), ids[1], ids[2], 3 + ids[1] % 5);
  }

  /** The row with another query. */
  Sample reworded(int row) {
    int[] ids = data.get(row).inputIds();
    return fact(Integer.toString(row), 3 + (ids[1] + 4) % 20, ids[2], ids[3]);
  }

  static byte[] bytes(Tensor tensor) {
    return tensor.segment().toArray(ValueLayout.JAVA_BYTE);
  }

  static Sample fact(String id, int a, int b, int v) {
    return new Sample(
        id, new int[] {1, a, b, v}, new int[] {-100, -100, -100, v}, "h" + a + b + v);
  }

  private static List<Sample> facts() {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Sample> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int a = 3 + i % 20;
      int b = 3 + (i / 20 * 7 + random.nextInt(20)) % 20;
      int v = random.nextInt(4) == 0 ? 3 + random.nextInt(20) : 3 + a % 5;
      rows.add(fact(Integer.toString(i), a, b, v));
    }
    return rows;
  }

  @Override
  public void close() {
    adapters.forEach(LoraAdapter::close);
    tiny.close();
    backend.close();
  }
}
