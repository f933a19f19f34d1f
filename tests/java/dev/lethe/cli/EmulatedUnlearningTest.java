package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.SelfTest;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.cli.command.UnlearningCheck;
import dev.lethe.tensor.DType;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What selftest does on a GPU, on the emulator: every kernel, and a whole unlearning. */
class EmulatedUnlearningTest {
  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void kernelsAndUnlearningAgreeWithTheReference(DType type) {
    try (Backend backend = EmulatedBackends.open(type)) {
      List<SelfTest.Row> failed =
          SelfTest.run(backend, 0).stream().filter(row -> !row.passed()).toList();
      assertTrue(failed.isEmpty(), failed::toString);
      UnlearningCheck.Answer answer = UnlearningCheck.run(backend, 0);
      assertTrue(answer.passed(), answer::toString);
    }
  }
}
