package dev.lethe.backend.contract;

import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.Findings;
import dev.lethe.backend.contract.harness.GuardZones;
import dev.lethe.backend.contract.harness.KernelBench;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Some cases of each kernel and mode of the contract, on a backend that stays open. */
public final class SelfTest {
  /** Cases of a mode, drawn from all that the contract has. */
  private static final int CASES = 6;

  /** Elements of a guard zone; odd, so that buffers begin at addresses aligned to their element only. */
  private static final int GUARD = 13;

  private SelfTest() {}

  /**
   * One mode's agreement with the reference.
   *
   * @param error the largest difference, by norm, relative to the result's size
   * @param allowed what the number format allows
   * @param repeatable whether every call, made twice, gave the same bytes
   * @param inBounds whether no call wrote outside its results
   * @param leakedBytes device memory that the calls did not give back
   * @param failure the first case that failed, and how; null where all passed
   */
  public record Row(
      String kernel,
      String mode,
      int cases,
      double error,
      double allowed,
      boolean repeatable,
      boolean inBounds,
      long leakedBytes,
      String failure) {
    public boolean passed() {
      return failure == null;
    }
  }

  /** Runs the cases, in a fixed order; the seed fixes which, and the numbers. */
  public static List<Row> run(Backend tested, long seed) {
    List<Row> rows = new ArrayList<>();
    try (KernelBench bench = new KernelBench(tested, GUARD, GuardZones.UNWATCHED, seed)) {
      Map<String, List<ContractCase>> modes = new LinkedHashMap<>();
      Contract.cases(bench)
          .forEach(c -> modes.computeIfAbsent(c.kernel(), k -> new ArrayList<>()).add(c));
      modes.forEach((kernel, cases) -> rows.add(row(kernel, chosen(cases, seed))));
    }
    return rows;
  }

  private static List<ContractCase> chosen(List<ContractCase> cases, long seed) {
    List<ContractCase> shuffled = new ArrayList<>(cases);
    Collections.shuffle(shuffled, new Random(seed));
    return shuffled.subList(0, Math.min(CASES, shuffled.size()));
  }

  private static Row row(String kernel, List<ContractCase> cases) {
    double error = 0;
    double allowed = 0;
    boolean repeatable = true;
    boolean inBounds = true;
    long leakedBytes = 0;
    String failure = null;
    for (ContractCase c : cases) {
      Findings findings = c.attempt();
      error = Math.max(error, findings.error());
      allowed = Math.max(allowed, findings.allowed());
      repeatable &= findings.repeatable();
      inBounds &= findings.inBounds();
      leakedBytes += findings.leakedBytes();
      if (failure == null && findings.failure() != null) {
        failure = findings.failure().getMessage();
      }
    }
    String[] name = kernel.split("\\.");
    return new Row(
        name[0], name[1], cases.size(), error, allowed, repeatable, inBounds, leakedBytes, failure);
  }
}
