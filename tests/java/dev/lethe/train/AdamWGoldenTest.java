package dev.lethe.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.nn.Golden;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Twenty full-batch AdamW steps on a trained model against PyTorch and PEFT in true float64. */
class AdamWGoldenTest {
  @ParameterizedTest
  @CsvSource({
    "reference,adamw,1e-12", "reference,adamw_clip_cosine,1e-12",
    "cpu,adamw,1e-5", "cpu,adamw_clip_cosine,1e-5"
  })
  void lossesNormsRatesAndParameters(String device, String kind, double bound) {
    try (Backend backend = Backends.select(device, BackendOptions.DEFAULT);
        Golden golden = Golden.stories(backend)) {
      JsonNode expected = golden.json.get(kind);
      boolean scheduled = expected.has("clip");
      TrainOptions options =
          TrainOptions.builder()
              .learningRate(1e-3)
              .weightDecay(0.01)
              .schedule(scheduled ? Schedule.COSINE : Schedule.CONSTANT)
              .warmupSteps(expected.path("warmup_steps").asLong(0))
              .clip(scheduled ? expected.get("clip").asDouble() : 0)
              .batchSize(golden.samples.size())
              .maxSteps(20)
              .build();
      List<StepLog> steps = new ArrayList<>();
      new Trainer(golden.adapted, golden.samples, options, listener(steps)).run(null, false);
      assertEquals(20, steps.size());
      for (int i = 0; i < 20; i++) {
        assertClose(expected.get("losses"), i, steps.get(i).loss(), bound);
        assertClose(expected.get("gradient_norms"), i, steps.get(i).gradientNorm(), bound);
        assertClose(expected.get("lrs"), i, steps.get(i).learningRate(), 1e-14);
      }
      if (!scheduled) {
        double error = golden.error("adamw", golden.adapter.theta());
        assertTrue(error < bound, "parameters after 20 steps: " + error);
      }
    }
  }

  private static void assertClose(JsonNode expected, int step, double got, double bound) {
    double value = expected.get(step).asDouble();
    assertEquals(value, got, bound * Math.abs(value), "step " + (step + 1));
  }

  private static TrainMonitor listener(List<StepLog> steps) {
    return new TrainMonitor() {
      @Override
      public void onStep(StepLog log) {
        steps.add(log);
      }
    };
  }
}
