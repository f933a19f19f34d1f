package dev.lethe.cli.option;

import dev.lethe.nn.WeightStorage;
import dev.lethe.session.Session;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which model. */
public class ModelOptions {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "PATH",
      description = "base model: a Hugging Face folder or a GGUF file")
  public Path model;

  @Option(
      names = "--tokenizer",
      paramLabel = "DIR",
      description = "folder of a tokenizer.json (default: the model's own tokenizer)")
  private Path tokenizer;

  /** A session on the model and the device. */
  public Session open(LetheCommand command, CommonOptions common) {
    WeightStorage storage = storage(command);
    return Session.open(model, common.openBackend(command)).withTokenizer(tokenizer).withWeights(storage);
  }

  /** How the matrices should lie in memory. */
  WeightStorage storage(LetheCommand command) {
    return WeightStorage.AUTO;
  }
}
