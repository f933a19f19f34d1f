package dev.lethe.cli.option;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which model. */
public final class ModelOptions {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "base model: a Hugging Face folder")
  public Path model;
}
