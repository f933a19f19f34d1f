package dev.lethe.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.nn.Golden;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The mean over tokens: that of PEFT's trainers, and what it makes of rows' weights. */
class LossMeanTest {
  /** transformers computes losses in float32, whatever the model is. */
  private static final double BOUND = 2e-6;

  @Test
  void stepsAreThoseOfTransformersAndPeft() throws IOException {
    String text = Files.readString(Path.of("tests/resources/golden/token_mean.json"));
    JsonNode expected = JsonMapper.shared().readTree(text);
    int count = expected.get("steps").intValue();
    TrainOptions options =
        TrainOptions.builder()
            .lossMean(LossMean.TOKENS)
            .learningRate(expected.get("rate").doubleValue())
            .weightDecay(expected.get("weight_decay").doubleValue())
            .schedule(Schedule.CONSTANT)
            .clip(0)
            .batchSize(2)
            .maxSteps(count)
            .shuffle(false)
            .build();
    List<StepLog> steps = new ArrayList<>();
    TrainMonitor monitor =
        new TrainMonitor() {
          @Override
          public void onStep(StepLog log) {
            steps.add(log);
          }
        };
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
        Golden golden = Golden.variant("untied", backend)) {
      new Trainer(golden.adapted, golden.samples, options, monitor).run(null, false);
      for (int i = 0; i < count; i++) {
        close(expected.get("losses").get(i), steps.get(i).loss());
        close(expected.get("gradient_norms").get(i), steps.get(i).gradientNorm());
      }
      close(expected.get("parameter_norm"), backend.vectors().norm(golden.adapter.theta()));
    }
    assertEquals(count, steps.size());
  }

  private static void close(JsonNode expected, double got) {
    assertEquals(expected.doubleValue(), got, BOUND * Math.abs(expected.doubleValue()));
  }

  /** One mean over all forward passes of a step, as transformers divides by the tokens of the accumulated batch. */
  @Test
  void rowsWeighTheirShareOfTheStepsTokens() {
    List<Sample> samples = TinyModels.samples(5, 13, 4, 9, 7);
    TrainOptions options =
        TrainOptions.builder().lossMean(LossMean.TOKENS).batchSize(2).accumulation(2).shuffle(false).build();
    TrainingPlan.Step step = TrainingPlan.of(samples, options).step(0);
    double all = samples.subList(0, 4).stream().mapToInt(Sample::supervised).sum();
    double[] expected = samples.subList(0, 4).stream().mapToDouble(row -> row.supervised() / all).toArray();
    assertArrayEquals(expected, step.weights(), 1e-15);
    double left = all - samples.get(1).supervised();
    boolean[] gone = {false, true, false, false};
    assertArrayEquals(
        new double[] {samples.get(0).supervised() / left, 0, samples.get(2).supervised() / left,
          samples.get(3).supervised() / left},
        Divisor.SHRINK.weights(step.weights(), gone),
        1e-15);
    assertArrayEquals(
        new double[] {expected[0], 0, expected[2], expected[3]}, Divisor.KEEP.weights(step.weights(), gone), 0);
  }

  @Test
  void recordsSayWhichMeanItWas() {
    TrainOptions tokens = TrainOptions.builder().lossMean(LossMean.TOKENS).build();
    assertEquals("tokens", tokens.toJson().get("loss_mean").asString());
    assertEquals(tokens, TrainOptions.fromJson(new dev.lethe.format.JsonFields(tokens.toJson(), "options")));
    assertEquals(false, TrainOptions.DEFAULT.toJson().has("loss_mean"));
  }
}
