package dev.lethe.backend.selftest;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** Compares every kernel and mode of a backend with the reference, and every call with itself. */
public final class SelfTest {
  private static final int ROUNDS = 5;
  private static final double FLOOR = 0.1;

  private SelfTest() {}

  /**
   * One kernel's agreement.
   *
   * @param error the largest difference, by norm, relative to the result's size
   * @param allowed what the number format allows
   * @param repeatable whether every call, made twice, gave the same bytes
   * @param leakedBytes device memory that the calls did not give back
   */
  public record Row(
      String kernel,
      String mode,
      int cases,
      double error,
      double allowed,
      boolean repeatable,
      long leakedBytes) {
    public boolean passed() {
      return error <= allowed && repeatable && leakedBytes == 0;
    }
  }

  /** Runs all checks, in a fixed order; the seed fixes the numbers. */
  public static List<Row> run(Backend tested, long seed) {
    List<KernelCheck> checks =
        Stream.of(
                LayerChecks.all(),
                LayerNormChecks.all(),
                LoraChecks.all(),
                AttentionChecks.all(),
                VectorChecks.all(),
                ReplayChecks.all())
            .flatMap(List::stream)
            .toList();
    List<Row> rows = new ArrayList<>();
    try (Backend reference = Backends.select("reference", BackendOptions.DEFAULT)) {
      for (KernelCheck check : checks) {
        rows.add(row(check, tested, reference, seed));
      }
    }
    return rows;
  }

  private static Row row(KernelCheck check, Backend tested, Backend reference, long seed) {
    Stage.Formats formats = Stage.Formats.of(tested);
    long before = tested.memoryUse().liveBytes();
    double worst = 0;
    boolean repeatable = true;
    for (int round = 0; round < ROUNDS; round++) {
      List<double[]> got = results(check, tested, formats, seed, round);
      List<double[]> again = results(check, tested, formats, seed, round);
      List<double[]> expected = results(check, reference, formats, seed, round);
      for (int i = 0; i < got.size(); i++) {
        worst = larger(worst, error(expected.get(i), got.get(i)));
        repeatable &= Arrays.equals(got.get(i), again.get(i));
      }
    }
    long leaked = tested.memoryUse().liveBytes() - before;
    return new Row(
        check.kernel(), check.mode(), ROUNDS, worst, allowed(tested), repeatable, leaked);
  }

  private static List<double[]> results(
      KernelCheck check, Backend backend, Stage.Formats formats, long seed, int round) {
    try (Stage stage = new Stage(backend, formats, seed + round)) {
      check.call().on(stage, round);
      return stage.results();
    }
  }

  /** ‖got − expected‖ over ‖expected‖, or over a tenth an element where results cancel to nothing. */
  private static double error(double[] expected, double[] got) {
    double difference = 0;
    double size = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (got[i] - expected[i]) * (got[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    return Math.sqrt(difference)
        / Math.max(Math.sqrt(size), FLOOR * Math.sqrt(Math.max(1, expected.length)));
  }

  /** The larger of two errors, where one that is not a number is the largest. */
  private static double larger(double a, double b) {
    return Double.isNaN(b) ? Double.POSITIVE_INFINITY : Math.max(a, b);
  }

  private static double allowed(Backend tested) {
    return switch (tested.productType()) {
      case F64 -> 1e-12;
      case F32 -> 1e-5;
      default -> 2e-2;
    };
  }
}
