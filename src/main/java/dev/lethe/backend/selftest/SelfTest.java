package dev.lethe.backend.selftest;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Compares every kernel and mode of a backend with the reference. */
public final class SelfTest {
  private static final int ROUNDS = 3;
  private static final double FLOOR = 0.1;

  private SelfTest() {}

  /**
   * One kernel's agreement.
   *
   * @param error the largest difference, by norm, relative to the result's size
   * @param allowed what the number format allows
   */
  public record Row(String kernel, String mode, int cases, double error, double allowed) {
    public boolean passed() {
      return error <= allowed;
    }
  }

  /** Runs all checks, in a fixed order; the seed fixes the numbers. */
  public static List<Row> run(Backend tested, long seed) {
    List<KernelCheck> checks =
        Stream.of(LayerChecks.all(), LoraChecks.all(), AttentionChecks.all(), VectorChecks.all())
            .flatMap(List::stream)
            .toList();
    List<Row> rows = new ArrayList<>();
    try (Backend reference = Backends.select("reference", BackendOptions.DEFAULT)) {
      for (KernelCheck check : checks) {
        double worst = 0;
        for (int round = 0; round < ROUNDS; round++) {
          worst = larger(worst, error(check, tested, reference, seed + round, round));
        }
        rows.add(new Row(check.kernel(), check.mode(), ROUNDS, worst, allowed(tested)));
      }
    }
    return rows;
  }

  private static double error(
      KernelCheck check, Backend tested, Backend reference, long seed, int round) {
    Stage.Formats formats = Stage.Formats.of(tested);
    try (Stage got = new Stage(tested, formats, seed);
        Stage expected = new Stage(reference, formats, seed)) {
      check.call().on(got, round);
      check.call().on(expected, round);
      List<double[]> results = got.results();
      List<double[]> references = expected.results();
      double worst = 0;
      for (int i = 0; i < results.size(); i++) {
        worst = larger(worst, error(references.get(i), results.get(i)));
      }
      return worst;
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
    return switch (tested.activationType()) {
      case F64 -> 1e-12;
      case F32 -> 1e-5;
      default -> 2e-2;
    };
  }
}
