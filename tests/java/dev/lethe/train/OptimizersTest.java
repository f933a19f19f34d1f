package dev.lethe.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** Optimisers and schedules against torch.optim and transformers, in float64. */
class OptimizersTest {
  private static JsonNode golden;

  @BeforeAll
  static void read() throws IOException {
    Path file = Path.of("tests/resources/golden/optimisers.json");
    golden = new ObjectMapper().readTree(Files.readString(file));
  }

  @Test
  void parametersAfterEveryStep() {
    assertEquals(5, golden.get("runs").size());
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT)) {
      for (JsonNode run : golden.get("runs")) {
        check(backend, run);
      }
    }
  }

  private static void check(Backend backend, JsonNode run) {
    TrainOptions.Builder options =
        TrainOptions.builder()
            .optimizer(OptimizerKind.of(run.get("kind").asString()))
            .weightDecay(run.get("weight_decay").asDouble())
            .momentum(run.path("momentum").asDouble(0));
    if (run.has("betas")) {
      JsonNode betas = run.get("betas");
      options.betas(betas.get(0).asDouble(), betas.get(1).asDouble());
      options.epsilon(run.get("eps").asDouble());
    }
    double[] start = doubles(golden.get("start"));
    try (Scope scope = backend.openScope("test")) {
      Tensor theta = scope.allocate(backend.vectorType(), start.length);
      Tensor g = scope.allocate(backend.vectorType(), start.length);
      backend.upload(host(start), theta);
      Optimizer optimizer = Optimizer.of(options.build(), backend, scope, start.length);
      for (int step = 0; step < run.get("parameters").size(); step++) {
        backend.upload(host(doubles(golden.get("gradients").get(step))), g);
        optimizer.step(run.get("lr").asDouble(), step + 1, theta, g);
        double[] expected = doubles(run.get("parameters").get(step));
        assertArrayEquals(expected, theta.toDoubles(), 1e-14, run.get("kind") + " " + step);
      }
    }
  }

  @Test
  void learningRatesOfEverySchedule() {
    for (JsonNode run : golden.get("schedules")) {
      String kind = run.get("kind").asString().replace("_with_warmup", "");
      double[] expected = doubles(run.get("rates"));
      assertTrue(expected.length > 4);
      for (int step = 0; step < expected.length; step++) {
        double factor =
            Schedule.of(kind)
                .factor(step, run.get("warmup").asLong(), run.get("steps").asLong());
        assertEquals(expected[step], factor, 1e-15, kind + " at " + step);
      }
    }
  }

  private static Tensor host(double[] values) {
    return Tensor.of(Shape.of(values.length), values);
  }

  private static double[] doubles(JsonNode array) {
    double[] values = new double[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).doubleValue();
    }
    return values;
  }
}
