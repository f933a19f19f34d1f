package dev.lethe.jmh;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Runs the benchmarks with allocation counted, writes JMH's JSON and prints a short table. Arguments: the file to
 * write, then JMH's own ({@code -h} of {@code org.openjdk.jmh.Main} lists them), as in {@code result.json Linear -f
 * 3 -i 10}.
 */
public final class BenchmarkSuite {
  private BenchmarkSuite() {}

  /** Ends with status 1 where a benchmark fails. */
  public static void main(String[] args) throws RunnerException, CommandLineOptionException {
    Path file = Path.of(args[0]);
    String[] rest = Arrays.copyOfRange(args, 1, args.length);
    Collection<RunResult> results =
        new Runner(
                new OptionsBuilder()
                    .parent(new CommandLineOptions(rest))
                    .addProfiler(GCProfiler.class)
                    .shouldFailOnError(true)
                    .resultFormat(ResultFormatType.JSON)
                    .result(file.toString())
                    .build())
            .run();
    System.out.println(ResultTable.of(results));
    System.out.println("JSON: " + file);
  }
}
