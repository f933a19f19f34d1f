package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The gradients that a replay makes for itself have the training's dropout masks. */
class DropoutMasksTest {
  private static final long SEED = 61;
  private static final TrainOptions OPTIONS =
      TrainOptions.builder().learningRate(0.01).batchSize(4).epochs(2).seed(SEED).build();

  @TempDir Path dir;

  @Test
  void everyLoggedGradientIsMadeAgainRowByRow() {
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
        TinyModels.Tiny tiny = TinyModels.open(dir, TinyModels.Dims.DEFAULT, backend, SEED);
        LoraAdapter adapter =
            TinyModels.adapter(
                PeftAdapterConfig.create(2, 4, 0.3, List.of("q_proj", "down_proj"), "tiny"),
                tiny.model(),
                SEED);
        Scope scope = backend.openScope("test")) {
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      List<Sample> samples = TinyModels.samples(10, 23, 4, 9, SEED);
      MemoryLog log = train(model, samples);
      ModelGradients gradients =
          new ModelGradients(model, OPTIONS, BatchLimits.DEFAULT);
      Tensor sum = scope.allocate(backend.vectorType(), 1, model.layout().size());
      try (OptimizerReplay run = new OptimizerReplay(backend, OPTIONS, log.initial())) {
        for (int k = 0; k < log.steps(); k++) {
          LoggedStep step = log.step(k);
          backend.vectors().fill(sum, 0);
          for (int i = 0; i < step.rows().length; i++) {
            double[][] weight = {{step.weights()[i]}};
            gradients.add(k, List.of(samples.get(step.rows()[i])), weight, run.theta(), sum);
          }
          assertArrayEquals(
              log.gradient(k).toDoubles(), host(backend, sum.row(0)), 1e-12, "seed " + SEED + ", step " + k);
          run.step(step.rate(), log.gradient(k));
        }
      }
    }
  }

  private static MemoryLog train(AdaptedModel model, List<Sample> samples) {
    Backend backend = model.backend();
    List<LoggedRow> rows = samples.stream().map(s -> new LoggedRow(s.id(), s.hash())).toList();
    double[] initial = host(backend, model.adapter().theta());
    MemoryLog log =
        new MemoryLog(OPTIONS, rows, Tensor.of(model.adapter().theta().shape(), initial));
    new Trainer(model, TrainingPlan.of(samples, OPTIONS), OPTIONS, RowEdits.NONE, TrainMonitor.NONE)
        .keep(
            new TrainingSink() {
              @Override
              public void onGradient(TrainingPlan.Step step, Tensor gradient) {
                log.add(
                    new LoggedStep(step.rate(), step.rows(), step.weights()),
                    host(backend, gradient));
              }
            })
        .run(null, false);
    return log;
  }

  private static double[] host(Backend backend, Tensor vector) {
    double[] values = new double[Math.toIntExact(vector.elements())];
    backend.download(vector, Tensor.of(vector.shape(), values));
    return values;
  }
}
