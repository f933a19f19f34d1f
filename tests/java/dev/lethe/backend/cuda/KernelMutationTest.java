package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * That the contract catches what it is there for: every {@link KernelMutant}, made in a copy of the
 * kernels, fails the cases that the unchanged copy passes.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class KernelMutationTest {
  /** A race shows in some orders of warps only. */
  private static final int ROUNDS = 8;

  private final ExecutorService builder = Executors.newSingleThreadExecutor();
  private final Map<KernelMutant, Future<Path>> mutants = new LinkedHashMap<>();
  private EmulatorBuild copy;
  private Path unchanged;

  /** Libraries are built one after another, ahead of the tests that wait for them. */
  @BeforeAll
  void build(@TempDir Path folder) throws Exception {
    copy = EmulatorBuild.of(folder, "kernels_emulator");
    unchanged = copy.library("unchanged");
    copy.keepObjects();
    for (KernelMutant mutant : KernelMutant.all()) {
      String name = "mutant" + mutants.size();
      mutants.put(mutant, builder.submit(() -> build(mutant, name)));
    }
  }

  @AfterAll
  void stop() throws InterruptedException {
    builder.shutdownNow();
    builder.close();
  }

  @Test
  void theUnchangedCopyPasses() throws Exception {
    Outcome outcome =
        ContractRun.inProcess(
            unchanged,
            1,
            Map.of(),
            mutants.keySet().stream().map(KernelMutant::suite).distinct().toList());
    assertEquals(ContractRun.PASSED, outcome.status(), outcome::output);
  }

  @TestFactory
  Stream<DynamicTest> everyMutantFails() {
    return mutants.keySet().stream()
        .map(m -> DynamicTest.dynamicTest(m.toString(), () -> fails(m, mutants.get(m).get())));
  }

  private Path build(KernelMutant mutant, String name) throws Exception {
    copy.replace(mutant.file(), mutant.text(), mutant.replacement());
    try {
      return copy.library(name);
    } finally {
      copy.restore(mutant.file());
    }
  }

  private static void fails(KernelMutant mutant, Path library) throws Exception {
    Outcome outcome = ContractRun.inProcess(library, ROUNDS, Map.of(), List.of(mutant.suite()));
    assertEquals(
        ContractRun.FAILED, outcome.status(), () -> mutant + " survives:\n" + outcome.output());
  }
}
