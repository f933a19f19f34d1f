package dev.lethe.cli.option;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The adapter, for commands that differentiate it. */
public final class AdapterOption {
  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "DIR",
      description = "adapter: a PEFT folder")
  public Path adapter;
}
