package dev.lethe.cli.option;

import dev.lethe.backend.Backend;
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

  /** A session on the model, which closes the backend and tells people what files say that is not used as it stands. */
  public Session open(LetheCommand command, Backend backend) {
    return Session.open(model, backend)
        .withTokenizer(tokenizer)
        .share(command.sharing())
        .withWeights(storage(command))
        .tell(note -> command.console.err().println("lethe: " + note));
  }

  /** How the matrices should lie in memory. */
  WeightStorage storage(LetheCommand command) {
    return WeightStorage.AUTO;
  }
}
