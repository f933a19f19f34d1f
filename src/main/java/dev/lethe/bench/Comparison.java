package dev.lethe.bench;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.chart.BarChart;
import dev.lethe.chart.Svg;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Two files of results beside each other: for each operation that both have timed on the same shapes, the fastest way of each.
 *
 * @param pairs in the order of the first file
 */
public record Comparison(List<Pair> pairs) {
  private static final int LONGEST_MACHINE = 44;

  /**
   * An operation.
   *
   * @param first the fastest way of the first file
   * @param second the fastest way of the second
   */
  public record Pair(BenchResult first, BenchResult second) {
    /** Time of the first over that of the second: below 1 the first is faster. */
    public double ratio() {
      return first.medianSeconds() / second.medianSeconds();
    }
  }

  /** Pairs the results of two files; throws where they have nothing in common. */
  public static Comparison of(Path first, Path second) {
    List<BenchResult> ours = BenchResult.read(first);
    List<BenchResult> theirs = BenchResult.read(second);
    List<Pair> pairs = new ArrayList<>();
    for (BenchResult result : fastest(ours)) {
      theirs.stream()
          .filter(other -> other.op().equals(result.op()) && other.sameShapes(result))
          .min(Comparator.comparingDouble(BenchResult::medianSeconds))
          .ifPresent(other -> pairs.add(new Pair(result, other)));
    }
    if (pairs.isEmpty()) {
      throw new LetheException(
          first + " and " + second,
          "no operation was timed in both on the same shapes",
          "equal workload, batch, seq and op",
          shapes(ours) + " and " + shapes(theirs),
          "Run both with the same --workload, --batch and --seq");
    }
    return new Comparison(pairs);
  }

  /** The fastest way of each operation and shape, in order of appearance. */
  private static List<BenchResult> fastest(List<BenchResult> results) {
    List<BenchResult> best = new ArrayList<>();
    for (BenchResult result : results) {
      Optional<BenchResult> known =
          best.stream()
              .filter(other -> other.op().equals(result.op()) && other.sameShapes(result))
              .findFirst();
      if (known.isEmpty()) {
        best.add(result);
      } else if (result.medianSeconds() < known.get().medianSeconds()) {
        best.set(best.indexOf(known.get()), result);
      }
    }
    return best;
  }

  private static String shapes(List<BenchResult> results) {
    Set<String> shapes = new LinkedHashSet<>();
    results.forEach(r -> shapes.add(Text.format("%s %dx%d %s", r.workload(), r.batch(), r.seq(), r.op())));
    return String.join(", ", shapes);
  }

  /**
   * A table for people; ratios below 1 mean that the first is faster.
   *
   * @param targets for some operations the ratio that is aimed at, and whether it is met gets a column; may be empty
   */
  public String table(Map<String, Double> targets) {
    StringBuilder table = new StringBuilder();
    table.append("first:  ").append(pairs.getFirst().first.source()).append('\n');
    table.append("second: ").append(pairs.getFirst().second.source()).append('\n');
    String target = targets.isEmpty() ? "" : Svg.format("%-13s", "target");
    table.append(
        Svg.format(
            "%n%-28s %10s %10s %7s  %s%s%n",
            "operation", "first, s", "second, s", "ratio", target, "the second's way"));
    for (Pair pair : pairs) {
      table.append(
          Svg.format(
              "%-28s %10.4f %10.4f %7.2f  %s%s%n",
              name(pair.first),
              pair.first.medianSeconds(),
              pair.second.medianSeconds(),
              pair.ratio(),
              targets.isEmpty() ? "" : aim(pair, targets.get(pair.first.op())),
              pair.second.way()));
    }
    return table.toString();
  }

  private static String aim(Pair pair, Double target) {
    return target == null
        ? Svg.format("%-13s", "")
        : Svg.format("%-4.2f %-8s", target, pair.ratio() <= target ? "met" : "missed");
  }

  /** A bar chart of the times, with the ratios. */
  public BarChart chart() {
    BenchResult first = pairs.getFirst().first;
    BenchResult second = pairs.getFirst().second;
    return new BarChart(
        Text.format(
            "%s, %d x %d tokens: seconds, less is better",
            first.workload(), first.batch(), first.seq()),
        Text.format(
            "%sIn brackets: time of the first over that of the second, the fastest way of each",
            first.machine().isEmpty() ? "" : clipped(first.machine()) + ". "),
        "seconds",
        List.of(first.source(), second.source()),
        pairs.stream()
            .map(
                pair ->
                    new BarChart.Group(
                        name(pair.first),
                        new double[] {pair.first.medianSeconds(), pair.second.medianSeconds()},
                        Svg.format("%.2f", pair.ratio())))
            .toList());
  }

  /** What fits beside other words on a chart. */
  private static String clipped(String machine) {
    return machine.length() <= LONGEST_MACHINE
        ? machine
        : machine.substring(0, LONGEST_MACHINE - 1).strip() + "…";
  }

  private String name(BenchResult result) {
    boolean one = pairs.stream().allMatch(pair -> pair.first.sameShapes(pairs.getFirst().first));
    return one
        ? result.op()
        : Text.format("%s %dx%d %s", result.workload(), result.batch(), result.seq(), result.op());
  }
}
