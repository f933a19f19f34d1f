package dev.lethe.unlearn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.data.Sample;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import dev.lethe.unlearn.baseline.Baselines;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every method for comparison as the command runs it. */
class BaselineUnlearnerTest {
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
  void eachMethodMovesTheAdapterAndSaysHow() {
    UnlearnRequest request = facts.removal("3", "17", "20");
    for (String name : Baselines.names()) {
      Map<String, Double> faster =
          Baselines.settings(name).stream().anyMatch(each -> each.name().equals("lr")) ? Map.of("lr", 1e-3) : Map.of();
      BaselineUnlearner unlearner =
          new BaselineUnlearner(
              task(request), Baselines.of(name, faster), preferred(request), TrainOptions.DEFAULT);
      Tensor before = HostTensors.download(facts.model.adapter());
      try (UnlearnResult result = unlearner.run(EraserMonitor.NONE)) {
        Certificate page = result.certificate();
        assertTrue(result.changed(), name);
        assertArrayEquals(Facts.bytes(before), Facts.bytes(HostTensors.download(facts.model.adapter())), name);
        assertNotEquals(page.hashes().adapterBefore(), page.hashes().adapterAfter(), name);
        Tensor moved = HostTensors.copy(before);
        result.step().add(moved);
        assertArrayEquals(Facts.bytes(HostTensors.download(result.adapter())), Facts.bytes(moved), name);
        assertEquals(name, page.method().name());
        assertFalse(page.method().settings().isEmpty(), name);
        assertTrue(page.method().worth().contains("arXiv"), name);
        assertTrue(page.cost().sampleGradients() > 0, name);
        assertEquals(57L * 3, page.cost().retraining(), name);
        assertTrue(page.toText().contains("settings"), page.toText());
        assertTrue(page.toText().contains("forgotten"), page.toText());
      }
    }
  }

  @Test
  void ascentRaisesTheLossAndFoldersAreWhole() throws Exception {
    UnlearnRequest request = facts.removal("3", "17");
    BaselineUnlearner unlearner =
        new BaselineUnlearner(
            task(request), Baselines.of("grad-diff", Map.of("lr", 3e-3, "epochs", 20.0)), List.of(), null);
    try (UnlearnResult result = unlearner.run(EraserMonitor.NONE)) {
      Certificate.Pair losses = result.certificate().losses().forgotten();
      assertTrue(losses.after() > losses.before() + 0.1, result.certificate().toText());
      Path out = dir.resolve("out");
      result.write(out, null);
      String json = Files.readString(out.resolve(UnlearnResult.CERTIFICATE));
      assertTrue(json.contains("\"settings\" : {"), json);
      assertTrue(json.contains("\"retraining\" : null"), json);
    }
  }

  @Test
  void anEmptyRequestChangesNothing() {
    UnlearnRequest request = UnlearnRequest.of(facts.data, List.of(), List.of());
    BaselineUnlearner unlearner =
        new BaselineUnlearner(task(request), Baselines.of("npo", Map.of()), List.of(), null);
    try (UnlearnResult result = unlearner.run(EraserMonitor.NONE)) {
      assertFalse(result.changed());
    }
  }

  @Test
  void whatBlowsUpIsRefused() {
    BaselineUnlearner unlearner =
        new BaselineUnlearner(
            task(facts.removal("3")),
            Baselines.of("gradient-ascent", Map.of("lr", 1e200, "warmup-epochs", 0.0)), List.of(), null);
    LetheException refused = assertThrows(LetheException.class, () -> unlearner.run(EraserMonitor.NONE));
    assertTrue(refused.getMessage().contains("finite"), refused.getMessage());
  }

  @Test
  void itStopsWhenAsked() {
    BaselineUnlearner unlearner =
        new BaselineUnlearner(
            task(facts.removal("3")), Baselines.of("fine-tune", Map.of()), List.of(), null);
    EraserMonitor stop =
        new EraserMonitor() {
          @Override
          public boolean interrupted() {
            return true;
          }
        };
    assertThrows(UnlearnInterrupted.class, () -> unlearner.run(stop));
  }

  private static UnlearnTask task(UnlearnRequest request) {
    return UnlearnTask.of(facts.model, request);
  }

  private static List<Sample> preferred(UnlearnRequest request) {
    return request.forgotten().stream().map(row -> Facts.fact(row.id(), 4, 5, 6)).toList();
  }
}
