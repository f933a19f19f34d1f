package dev.lethe.jmh;

import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.RunResult;

/** Results of JMH as a Markdown table: time of an operation, rate, and bytes that it allocates on the Java heap. */
final class ResultTable {
  private static final String HEAD =
      """
      | benchmark | time | ± | rate | allocated |
      |---|---|---|---|---|
      """;

  private static final Map<String, String> RATES =
      Map.of("flops", "GFLOP/s", "bytes", "GB/s", "tokens", "K tokens/s");

  private ResultTable() {}

  static String of(Collection<RunResult> results) {
    return results.stream().map(ResultTable::row).collect(Collectors.joining("\n", HEAD, ""));
  }

  private static String row(RunResult result) {
    double score = result.getPrimaryResult().getScore();
    double error = result.getPrimaryResult().getScoreError() / score;
    double allocated = secondary(result, "gc.alloc.rate.norm");
    return String.format(
        Locale.ROOT,
        "| %s | %s | %s | %s | %s |",
        name(result.getParams()),
        time(seconds(result.getParams(), score)),
        Double.isFinite(error) ? "%.0f%%".formatted(100 * error) : "",
        rate(result),
        Double.isFinite(allocated) ? String.format(Locale.ROOT, "%,.0f B", allocated) : "");
  }

  /** Class, method and those parameters that are not at their only value. */
  private static String name(BenchmarkParams params) {
    String[] parts = params.getBenchmark().split("\\.");
    String method = parts[parts.length - 2].replace("Benchmark", "") + "." + parts[parts.length - 1];
    return params.getParamsKeys().stream()
        .filter(key -> !key.equals("device") && !key.equals("folder"))
        .filter(key -> !params.getParam(key).equals("0"))
        .map(key -> " " + key + "=" + params.getParam(key))
        .collect(Collectors.joining("", method, ""));
  }

  private static double seconds(BenchmarkParams params, double score) {
    double unit = params.getTimeUnit().toNanos(1) * 1e-9;
    return params.getMode() == Mode.Throughput ? unit / score : unit * score;
  }

  private static String time(double seconds) {
    if (seconds < 1e-6) {
      return "%.0f ns".formatted(seconds * 1e9);
    }
    return seconds < 1e-3 ? "%.1f µs".formatted(seconds * 1e6) : "%.2f ms".formatted(seconds * 1e3);
  }

  private static String rate(RunResult result) {
    return RATES.entrySet().stream()
        .filter(rate -> result.getSecondaryResults().containsKey(rate.getKey()))
        .map(rate -> rate(perSecond(result, rate.getKey()), rate.getValue()))
        .findAny()
        .orElse("");
  }

  /** A counter a second; JMH gives it in the benchmark's own mode, as time of one or number in a time. */
  private static double perSecond(RunResult result, String counter) {
    return 1 / seconds(result.getParams(), secondary(result, counter));
  }

  private static String rate(double perSecond, String unit) {
    return "%.2f %s".formatted(perSecond * (unit.startsWith("K") ? 1e-3 : 1e-9), unit);
  }

  /** A result besides the time, or NaN. */
  private static double secondary(RunResult result, String name) {
    return result.getSecondaryResults().containsKey(name)
        ? result.getSecondaryResults().get(name).getScore()
        : Double.NaN;
  }
}
