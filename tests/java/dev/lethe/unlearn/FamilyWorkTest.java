package dev.lethe.unlearn;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.Golden;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.DType;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnResult;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Families are trained and unlearn on every backend: losses fall, and that of a forgotten row rises. */
class FamilyWorkTest {
  private static final long SEED = 20_261_201;
  private static final String EMULATED = "emulated cuda";

  static Stream<Arguments> cases() {
    return Stream.of("qwen3", "olmo2", "gemma3")
        .flatMap(
            family ->
                Stream.of("reference", "cpu", EMULATED)
                    .map(device -> Arguments.of(family, device)));
  }

  @ParameterizedTest(name = "{0} on {1}")
  @MethodSource("cases")
  void trainsAndUnlearns(String family, String device) {
    try (Backend backend = open(device);
        Golden golden = Golden.variant(family, backend);
        LoraAdapter adapter =
            LoraAdapter.create(
                PeftAdapterConfig.create(2, 4, 0, TinyModels.ALL_TARGETS, "tiny"),
                golden.adapter.model(),
                SEED)) {
      AdaptedModel model = new AdaptedModel(golden.adapter.model(), adapter);
      List<Sample> rows = TinyModels.samples(5, 97, 4, 9, SEED);
      double[] untrained = losses(model, rows);
      TrainOptions options =
          TrainOptions.builder()
              .optimizer(OptimizerKind.ADAMW)
              .learningRate(0.01)
              .maxSteps(6)
              .batchSize(rows.size())
              .build();
      new Trainer(model, rows, options, TrainMonitor.NONE).run(null, false);
      double[] trained = losses(model, rows);
      assertTrue(sum(trained) < 0.98 * sum(untrained), () -> sum(untrained) + " → " + sum(trained));
      UnlearnRequest request = UnlearnRequest.of(rows, List.of("3"), List.of());
      Eraser eraser = Eraser.builder(model, request).damping(1).memory(Facts.MEMORY).build();
      try (UnlearnResult result = eraser.run(EraserMonitor.NONE)) {
        double[] unlearned = losses(model.with(result.adapter()), rows);
        assertTrue(unlearned[3] > trained[3], () -> trained[3] + " → " + unlearned[3]);
      }
    }
  }

  private static Backend open(String device) {
    return device.equals(EMULATED)
        ? EmulatedBackends.open(DType.F32)
        : Backends.select(device, new BackendOptions(2));
  }

  private static double[] losses(AdaptedModel model, List<Sample> rows) {
    try (Batch batch = Batch.of(rows, model.backend());
        Linearization at =
            new Linearization(model.backend(), model.tape(batch), model.adapter().theta())) {
      return at.losses();
    }
  }

  private static double sum(double[] values) {
    return Arrays.stream(values).sum();
  }
}
