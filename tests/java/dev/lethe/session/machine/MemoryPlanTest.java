package dev.lethe.session.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.WeightStorage;
import dev.lethe.replay.prepare.PreparationSize;
import dev.lethe.tensor.Scope;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** What a rehearsal says is what the work takes, to the byte, and a limit makes batches smaller or refuses. */
final class MemoryPlanTest {
  private static final Path MODEL = Path.of("tests/resources/golden/untied");
  private static final BatchLimits LIMITS = new BatchLimits(32, 400);

  static List<Work> works() {
    return List.of(
        Work.EVALUATE, Work.generate(20), Work.train(3), Work.GRADIENTS, Work.PER_SAMPLE, Work.HVP, 
        Work.influence(Curvature.GGN, rows(2, 50)), Work.unlearn(Curvature.GGN), Work.prepare(PreparationSize.usual(10, 3)), Work.published(5), Work.averaged(3));
  }

  @ParameterizedTest
  @MethodSource("works")
  void tellsWhatTheWorkTakes(Work work) {
    try (Place at = new Place();
        LanguageModel model = LanguageModel.open(at.files, at.backend, WeightStorage.AUTO);
        LoraAdapter adapter = LoraAdapter.open(at.peft, model);
        Scope scope = at.backend.openScope("work")) {
      List<Sample> rows = rows(9, 61);
      long told = at.plan().bytes(work, rows, LIMITS);
      work.doing().on(new AdaptedModel(model, adapter), rows, LIMITS, scope);
      assertEquals(at.backend.memoryUse().peakBytes(), told);
      assertTrue(at.plan().loaded() < told, "the weights alone take as much");
    }
  }

  @Test
  void takesSmallerBatchesWhereMemoryBinds() {
    try (Place at = new Place()) {
      List<Sample> rows = rows(16, 61);
      BatchLimits usual = new BatchLimits(32, 4096);
      long most = at.plan().bytes(Work.HVP, rows, usual);
      long some = at.plan().bytes(Work.HVP, rows, new BatchLimits(32, 512));
      assertTrue(some < most, some + " and " + most);
      assertEquals(usual, at.plan().fitting(Work.HVP, rows, usual, false).limits());
      BatchLimits fitting =
          at.plan().fitting(Work.HVP, rows, usual, false, (some + most) / 2, "the test").limits();
      assertTrue(fitting.maxTokens() < 1024 && fitting.maxTokens() >= 512, fitting.toString());
    }
  }

  @Test
  void refusesWhatCannotFit() {
    try (Place at = new Place()) {
      EnvironmentException e =
          assertThrows(
              EnvironmentException.class,
              () -> at.plan().fitting(Work.GRADIENTS, rows(4, 61), LIMITS, true, 1000, "the test"));
      assertTrue(e.getMessage().contains("gradients: needs "), e.getMessage());
      assertTrue(e.getMessage().contains("the test leaves 1.0 kB"), e.getMessage());
      assertTrue(e.getMessage().contains("Use a smaller --batch-tokens"), e.getMessage());
    }
  }

  /** An adapter is there already: how PEFT started it takes no memory. */
  @ParameterizedTest
  @ValueSource(strings = {"\"eva\"", "\"orthogonal\"", "false"})
  void adaptersOfAnyStartAreRehearsed(String start) {
    try (Place at = new Place()) {
      ObjectNode json = at.peft.config().raw();
      json.set("init_lora_weights", StrictJson.parse(start, "test"));
      MemoryPlan plan =
          new MemoryPlan(at.files, at.backend, WeightStorage.AUTO, PeftAdapterConfig.parse(json, "test"));
      assertEquals(
          at.plan().bytes(Work.GRADIENTS, rows(4, 61), LIMITS), plan.bytes(Work.GRADIENTS, rows(4, 61), LIMITS));
    }
  }

  @ParameterizedTest
  @MethodSource("works")
  void everyKindOfWorkIsRefusedOneByteBelowWhatItTakes(Work work) {
    try (Place at = new Place()) {
      List<Sample> rows = rows(9, 61);
      long need = at.plan().bytes(work, rows, LIMITS);
      assertEquals(need, at.plan().fitting(work, rows, LIMITS, true, need, "the test").bytes());
      EnvironmentException e =
          assertThrows(
              EnvironmentException.class, () -> at.plan().fitting(work, rows, LIMITS, true, need - 1, "the test"));
      assertTrue(e.getMessage().startsWith(work.label() + ": needs "), e.getMessage());
    }
  }

  private static List<Sample> rows(int count, int length) {
    int[] ids = IntStream.range(0, length).map(i -> 3 + i % 50).toArray();
    return IntStream.range(0, count).mapToObj(i -> new Sample("row " + i, ids, ids, "")).toList();
  }

  /** A tiny Llama and its adapter on the CPU. */
  private static final class Place implements AutoCloseable {
    final HfModelFolder files = HfModelFolder.open(MODEL);
    final PeftFolder peft = PeftFolder.open(MODEL.resolve("adapter"));
    final Backend backend = Backends.select("cpu", new BackendOptions(2));

    MemoryPlan plan() {
      return new MemoryPlan(files, backend, WeightStorage.AUTO, peft.config());
    }

    @Override
    public void close() {
      backend.close();
      peft.close();
      files.close();
    }
  }
}
