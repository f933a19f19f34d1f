package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * That the contract catches what it is there for: every {@link KernelMutant}, made in a copy of the
 * kernels, fails the cases that the unchanged copy passes. One process runs them all, one after another.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class KernelMutationTest {
  /** A race shows in some orders of warps only. */
  private static final int ROUNDS = 8;

  private final ExecutorService builder = Executors.newSingleThreadExecutor();
  private final Map<KernelMutant, Future<Path>> mutants = new LinkedHashMap<>();
  private final ContractProcess process = new ContractProcess();
  private Path unchanged;

  /** Libraries are built one after another, ahead of the tests that wait for them. */
  @BeforeAll
  void build(@TempDir Path folder) throws Exception {
    EmulatorBuild emulator = EmulatorBuild.of(folder, "kernels_emulator");
    unchanged = emulator.unchanged();
    for (KernelMutant mutant : KernelMutant.all()) {
      String name = "mutant" + mutants.size();
      mutants.put(
          mutant,
          builder.submit(
              () ->
                  emulator.mistaken(
                      name, mutant.file(), mutant.unit(), mutant.text(), mutant.replacement())));
    }
  }

  @AfterAll
  void stop() throws Exception {
    process.close();
    builder.shutdownNow();
    builder.close();
  }

  @TestFactory
  Stream<DynamicTest> everyMutantFails() {
    return mutants.keySet().stream()
        .map(m -> DynamicTest.dynamicTest(m.toString(), () -> fails(m, mutants.get(m).get())));
  }

  /** The unchanged library runs after the mutant, so that it also shows that the process took no harm. */
  private void fails(KernelMutant mutant, Path library) throws Exception {
    Outcome outcome = process.run(library, ROUNDS, mutant.suite());
    assertEquals(
        ContractRun.FAILED, outcome.status(), () -> mutant + " survives:\n" + outcome.output());
    Outcome without = process.run(unchanged, 1, mutant.suite());
    assertEquals(ContractRun.PASSED, without.status(), without::output);
  }
}
