package dev.lethe.cli.command;

import dev.lethe.bench.Comparison;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Two files of benchmark results beside each other. */
@Command(
    name = "compare",
    description = {
      "Reads two files of results, of lethe bench or of its PyTorch peer, and prints for each operation that",
      "both have timed on the same shapes the fastest way of each and the ratio of their times; below 1 the",
      "first is faster."
    })
public final class CompareCommand extends LetheCommand {
  @Parameters(index = "0", paramLabel = "FIRST", description = "a file of JSON Lines")
  private Path first;

  @Parameters(index = "1", paramLabel = "SECOND", description = "what to compare it with")
  private Path second;

  @Option(names = "--svg", paramLabel = "FILE", description = "draw a chart; the file must not exist")
  private Path svg;

  @Option(
      names = "--target",
      paramLabel = "OP=RATIO",
      split = ",",
      description = "the ratio that is aimed at for an operation; the table says whether it is met")
  private Map<String, Double> targets = new LinkedHashMap<>();

  public CompareCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    targets.forEach(
        (op, ratio) ->
            require(ratio > 0 && Double.isFinite(ratio), "--target is a ratio above 0", op + "=" + ratio));
    take(svg);
    Comparison comparison = Comparison.of(first, second);
    for (String op : targets.keySet()) {
      if (comparison.pairs().stream().noneMatch(pair -> pair.first().op().equals(op))) {
        throw usage("--target names '" + op + "', which the two files do not share");
      }
    }
    if (svg != null) {
      comparison.chart().write(svg);
    }
    print(comparison.table(targets));
    return ExitCode.DONE;
  }
}
