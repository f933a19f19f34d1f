package dev.lethe.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The adapter, for commands that differentiate it. */
final class AdapterOption {
  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "DIR",
      description = "adapter: a PEFT folder")
  Path adapter;
}
