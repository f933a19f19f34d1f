package dev.lethe.cli.option;

import picocli.CommandLine.Option;

/** How a command talks. */
public final class OutputOptions {
  @Option(names = "--json", description = "results as JSON, for machines")
  public boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "no progress")
  public boolean quiet;

  @Option(names = "--debug", description = "on an error, print where in the program it happened")
  public boolean debug;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this help")
  boolean help;
}
