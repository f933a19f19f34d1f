package dev.lethe.cli.option;

import dev.lethe.backend.Backend;
import dev.lethe.nn.WeightStorage;
import dev.lethe.session.Session;
import dev.lethe.session.Sharing;
import java.nio.file.Path;
import java.util.List;
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
    return open(command, List.of(backend));
  }

  /** The same on several devices, which share the work over rows, or with whom the console shares it. */
  public Session open(LetheCommand command, List<Backend> devices) {
    Session session =
        Session.open(model, devices)
            .withTokenizer(tokenizer)
            .withWeights(storage(command))
            .tell(note -> command.console.err().println("lethe: " + note));
    Sharing others = command.console.sharing();
    return others == null ? session : session.share(others);
  }

  /** How the matrices should lie in memory. */
  WeightStorage storage(LetheCommand command) {
    return WeightStorage.AUTO;
  }
}
