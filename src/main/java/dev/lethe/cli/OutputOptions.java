package dev.lethe.cli;

import picocli.CommandLine.Option;

/** How a command talks. */
final class OutputOptions {
  @Option(names = "--json", description = "results as JSON, for machines")
  boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "no progress")
  boolean quiet;

  @Option(names = "--debug", description = "on an error, print where in the program it happened")
  boolean debug;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this help")
  boolean help;
}
