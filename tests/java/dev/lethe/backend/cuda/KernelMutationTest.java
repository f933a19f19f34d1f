package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * That the contract catches what it is there for: every {@link KernelMutant}, made in a copy of the
 * kernels, fails the cases that the unchanged copy passes.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class KernelMutationTest {
  private EmulatorBuild copy;

  @BeforeAll
  void theUnchangedCopyPasses(@TempDir Path folder) throws Exception {
    copy = EmulatorBuild.of(folder, "kernels_emulator");
    Outcome outcome =
        ContractRun.inProcess(
            copy.library("unchanged"),
            Map.of(),
            KernelMutant.ALL.stream().map(KernelMutant::suite).distinct().toList());
    assertEquals(ContractRun.PASSED, outcome.status(), outcome::output);
  }

  @TestFactory
  Stream<DynamicTest> everyMutantFails() {
    List<KernelMutant> mutants = KernelMutant.ALL;
    return mutants.stream()
        .map(
            m -> DynamicTest.dynamicTest(m.toString(), () -> fails(m, "mutant" + mutants.indexOf(m))));
  }

  private void fails(KernelMutant mutant, String name) throws Exception {
    copy.replace(mutant.file(), mutant.text(), mutant.replacement());
    try {
      Outcome outcome =
          ContractRun.inProcess(copy.library(name), Map.of(), List.of(mutant.suite()));
      assertEquals(
          ContractRun.FAILED, outcome.status(), () -> "survives " + mutant + ":\n" + outcome.output());
      System.out.printf("%s%n    %s", mutant, outcome.output());
    } finally {
      copy.restore(mutant.file());
    }
  }
}
