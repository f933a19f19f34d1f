package dev.lethe.unlearn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.evaluate.Outputs;
import dev.lethe.evaluate.RetrainDistance;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingRecord;
import dev.lethe.train.TrainingResult;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters that a short AdamW run left far from a minimum, and the damping that stands for it. */
class AutoDampingTest {
  private static final int SEEDS = 3;

  private static Facts facts;

  @TempDir Path dir;

  @BeforeAll
  static void open(@TempDir Path folder) {
    facts = new Facts(folder.resolve("model"));
  }

  @AfterAll
  static void close() {
    facts.close();
  }

  @Test
  void itIsTheWeightedMeanOfRootSecondMoments() {
    TrainOptions options = TrainOptions.builder().maxSteps(3).learningRate(1e-2).build();
    LoraAdapter adapter = facts.fresh(1);
    TrainingResult trained = train(adapter, options);
    Map<String, Tensor> moments = new HashMap<>();
    for (var parameter : adapter.layout().parameters()) {
      Tensor v = HostTensors.zeros(facts.backend.vectorType(), parameter.shape().elements());
      double value = moments.isEmpty() ? 4 : 9;
      for (int i = 0; i < v.elements(); i++) {
        v.set(i, value * (1 - Math.pow(0.999, 3)));
      }
      Tensor shaped = v.reshape(parameter.shape().toArray());
      moments.put("exp_avg_sq/" + parameter.name(), shaped);
    }
    trained.record().write(dir, moments);
    RequestDamping damping = RequestDamping.read(dir, trained.record(), adapter.layout());
    Tensor b = HostTensors.zeros(facts.backend.vectorType(), adapter.layout().size());
    assertEquals(0, damping.of(b), 0);
    long second = adapter.layout().parameters().get(1).offset();
    b.set(0, 1);
    b.set(second, -2);
    double sum = trained.record().learningRateSum();
    assertEquals((1 * 2 + 4 * 3) / 5.0 / sum, damping.of(b), 1e-9 / sum);
    assertNull(
        RequestDamping.read(dir.resolve("none"), trained.record(), adapter.layout()));
  }

  @Test
  void itMovesFurtherTowardsRetrainingThanLittleDamping() {
    double auto = 0;
    double little = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
      TrainOptions options =
          TrainOptions.builder().learningRate(1e-2).epochs(20).clip(0).seed(seed).build();
      LoraAdapter adapter = facts.fresh(5 + seed);
      TrainingResult trained = train(adapter, options);
      Path folder = dir.resolve("adapter-" + seed);
      adapter.save(folder);
      trained.writeRecord(folder);
      AdaptedModel model = new AdaptedModel(facts.tiny.model(), adapter);
      UnlearnRequest request = facts.removal("3", "17");
      try (LoraAdapter retrained =
          LoraAdapter.create(adapter.config(), facts.tiny.model(), 5 + seed)) {
        new Trainer(model.with(retrained), request.target(), options, TrainMonitor.NONE).run(null, false);
        Eraser.Builder eraser =
            Eraser.builder(model, request).memory(Facts.MEMORY);
        eraser.trainedIn(folder);
        try (UnlearnResult result = eraser.build().run(EraserMonitor.NONE)) {
          auto += closed(model, result, retrained) / SEEDS;
          String from = result.certificate().system().dampingFrom();
          assertEquals(DampingRule.BY_REQUEST, from);
          assertTrue(result.certificate().warnings().isEmpty(), result.certificate().toText());
        }
        try (UnlearnResult result = eraser.damping(0.003).build().run(EraserMonitor.NONE)) {
          little += closed(model, result, retrained) / SEEDS;
        }
      }
    }
    assertTrue(auto > 0.2, "closed with the automatic damping: " + auto);
    assertTrue(little < auto, "closed with hardly any: " + little);
  }

  @Test
  void withoutTheVectorsTheRecordAloneDecides() {
    TrainOptions options = TrainOptions.builder().maxSteps(20).learningRate(1e-2).build();
    LoraAdapter adapter = facts.fresh(2);
    TrainingRecord record = train(adapter, options).record();
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), adapter);
    Eraser eraser =
        Eraser.builder(model, facts.removal("3")).trainingRecord(record).build();
    assertEquals(record.autoDamping(), eraser.options().damping(), 0);
    Eraser bare = Eraser.builder(model, facts.removal("3")).build();
    assertEquals(Eraser.DEFAULT_DAMPING, bare.options().damping(), 0);
  }

  @Test
  void anotherTrainingsRecordIsAWarning() {
    TrainOptions options = TrainOptions.builder().maxSteps(20).learningRate(1e-2).build();
    TrainingRecord record = train(facts.fresh(2), options).record();
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), facts.fresh(3));
    Eraser eraser =
        Eraser.builder(
                model, UnlearnRequest.of(facts.data.subList(0, 50), List.of("3"), List.of()))
            .trainingRecord(record)
            .damping(1)
            .memory(Facts.MEMORY)
            .build();
    try (UnlearnResult result = eraser.run(EraserMonitor.NONE)) {
      String warnings = String.join("\n", result.certificate().warnings());
      assertTrue(warnings.contains("the data is not the one of the training record"), warnings);
      assertTrue(warnings.contains("the adapter is not the one"), warnings);
    }
  }

  @Test
  void aStepThatHarmsTheRestSaysSo() {
    TrainOptions options = TrainOptions.builder().maxSteps(300).learningRate(1e-2).build();
    LoraAdapter adapter = facts.fresh(4);
    train(adapter, options);
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), adapter);
    UnlearnRequest request =
        facts.replacement(facts.corrected(3), facts.reworded(20), facts.corrected(41));
    Eraser.Builder eraser = Eraser.builder(model, request).memory(Facts.MEMORY);
    try (UnlearnResult careful = eraser.damping(1).build().run(EraserMonitor.NONE);
        UnlearnResult careless = eraser.damping(1e-4).build().run(EraserMonitor.NONE)) {
      assertEquals(List.of(), careful.certificate().warnings());
      Certificate c = careless.certificate();
      assertTrue(c.losses().retained().after() > 1.1 * c.losses().retained().before());
      String warnings = String.join("\n", c.warnings());
      assertTrue(warnings.contains("harms what was to stay"), warnings);
      assertTrue(warnings.contains("larger damping than 0.000100"), warnings);
      assertTrue(c.toText().contains("response corrected: 3, 41\n"), c.toText());
    }
  }

  private static TrainingResult train(LoraAdapter adapter, TrainOptions options) {
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), adapter);
    return new Trainer(model, facts.data, options, TrainMonitor.NONE).run(null, false);
  }

  private static double closed(AdaptedModel model, UnlearnResult result, LoraAdapter retrained) {
    Outputs rows = new Outputs(model, facts.data, BatchLimits.DEFAULT);
    return RetrainDistance.of(
            rows,
            retrained,
            model.adapter().theta(),
            result.adapter().theta(),
            retrained.theta())
        .outputsClosed();
  }
}
