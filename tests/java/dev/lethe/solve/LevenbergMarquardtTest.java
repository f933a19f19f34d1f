package dev.lethe.solve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Minimisation of a regularised loss on a tiny random Llama. */
class LevenbergMarquardtTest {
  private static final long SEED = 5;
  private static final double DECAY = 0.03;

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({"reference,HESSIAN,1e-9", "reference,GGN,1e-5", "cpu,HESSIAN,1e-5"})
  void reachesAStationaryPoint(String device, Curvature kind, double tolerance) {
    with(
        device,
        (loss, theta) -> {
          double before = objective(loss, theta);
          LevenbergMarquardt.Result found =
              minimiser(loss, kind, tolerance).minimise(theta, LevenbergMarquardt.Monitor.NONE);
          assertTrue(found.converged(), found.toString());
          assertTrue(found.objective() < before - 0.1, found + " from " + before);
          assertEquals(objective(loss, theta), found.objective(), 1e-5);
          Backend backend = loss.backend();
          try (Scope scope = backend.openScope("test")) {
            Tensor g = scope.allocate(backend.vectorType(), theta.elements());
            backend.vectors().fill(g, 0);
            loss.addGradient(theta, 1.0 / loss.size(), g);
            backend.vectors().axpy(DECAY, theta, g);
            assertEquals(found.gradientNorm(), backend.vectors().norm(g), 0.1 * tolerance);
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"reference"})
  void stopsBetweenStepsWhenAsked(String device) {
    with(
        device,
        (loss, theta) -> {
          int[] steps = new int[1];
          LevenbergMarquardt.Monitor monitor =
              new LevenbergMarquardt.Monitor() {
                @Override
                public void onStep(
                    int step, double f, double norm, double damping, boolean accepted) {
                  steps[0] = step;
                }

                @Override
                public boolean interrupted() {
                  return steps[0] == 2;
                }
              };
          LevenbergMarquardt.Result found =
              minimiser(loss, Curvature.HESSIAN, 1e-9).minimise(theta, monitor);
          assertFalse(found.converged());
          assertEquals(2, found.steps());
          assertEquals("interrupted", found.stop());
          assertEquals(objective(loss, theta), found.objective(), 1e-12);
        });
  }

  private static LevenbergMarquardt minimiser(
      DatasetLoss loss, Curvature kind, double tolerance) {
    return new LevenbergMarquardt(
        loss,
        new LevenbergMarquardt.Options(DECAY, tolerance, 400, kind, 1, 300),
        new MemoryBudget(1L << 30));
  }

  private static double objective(DatasetLoss loss, Tensor theta) {
    double mean = Arrays.stream(loss.losses(theta)).average().orElseThrow();
    return mean + 0.5 * DECAY * loss.backend().vectors().dot(theta, theta);
  }

  private void with(String device, Body body) {
    try (Backend backend = Backends.select(device, BackendOptions.DEFAULT);
        TinyModels.Tiny tiny =
            TinyModels.open(dir, new TinyModels.Dims(1, 8, 11, 2, 1, 13, 32, ""), backend, SEED);
        LoraAdapter adapter =
            TinyModels.adapter(tiny.model(), 1, 2, List.of("v_proj", "down_proj"), SEED)) {
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      DatasetLoss loss =
          new DatasetLoss(
              model, TinyModels.samples(24, 13, 4, 9, SEED), new BatchLimits(10, 60));
      body.run(loss, adapter.theta());
    }
  }

  @FunctionalInterface
  private interface Body {
    void run(DatasetLoss loss, Tensor theta);
  }
}
