package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.session.Training;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** The shape of a new adapter, or the one to start from. */
public final class AdapterOptions {
  @Option(
      names = "--rank",
      paramLabel = "R",
      description = "rank of the pairs (default: 8)")
  Integer rank;

  @Option(
      names = "--alpha",
      paramLabel = "A",
      description = "their scale is alpha/rank (default: twice the rank)")
  Double alpha;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      description = "dropout on the adapter's input while training (default: 0)")
  Double dropout;

  @Option(
      names = "--targets",
      paramLabel = "M,M",
      split = ",",
      description =
          "linear layers to adapt, as q_proj,v_proj or c_attn"
              + " (default: all of the decoder layers, as PEFT's all-linear)")
  List<String> targets;

  @Option(
      names = "--init-adapter",
      paramLabel = "DIR",
      description = "start from this adapter instead of a new one")
  public Path initAdapter;

  private static final String ALL_LINEAR = "all-linear";

  public void check(LetheCommand command) {
    boolean shaped = rank != null || alpha != null || targets != null || dropout != null;
    if (initAdapter != null && shaped) {
      throw command.usage(
          "--init-adapter has its own --rank, --alpha, --dropout and --targets; omit those");
    }
    command.require(
        rank == null || rank >= 1 && rank <= PeftAdapterConfig.MAX_RANK,
        "--rank is 1 to " + PeftAdapterConfig.MAX_RANK, rank);
    command.require(
        alpha == null || alpha > 0 && alpha <= PeftAdapterConfig.MAX_ALPHA,
        "--alpha is above 0 and at most " + PeftAdapterConfig.MAX_ALPHA, alpha);
    command.require(
        dropout == null || dropout >= 0 && dropout < 1, "--dropout is 0 or more and below 1", dropout);
    command.require(
        targets == null || !targets.isEmpty() && targets.stream().noneMatch(String::isEmpty)
            && targets.stream().distinct().count() == targets.size(),
        "--targets names layers with commas between them, each once", targets);
    command.require(
        targets == null || targets.size() == 1 || !targets.contains(ALL_LINEAR),
        "--targets is " + ALL_LINEAR + " or names of layers", targets);
  }

  /** Refuses names of layers that the model has not; PEFT would pass over them. */
  public void requireFound(LetheCommand command, ParameterLayout layout) {
    for (String target : targets == null || targets.contains(ALL_LINEAR) ? List.<String>of() : targets) {
      boolean found =
          layout.parameters().stream()
              .anyMatch(p -> p.name().endsWith("." + target + PeftFolder.LORA_A));
      command.require(
          found, "--targets: this model has no linear layer of this name", Text.quote(target));
    }
  }

  /**
   * A new adapter's configuration.
   *
   * @param linears the model's linear layers by the last parts of their names
   */
  public PeftAdapterConfig config(String baseModel, List<String> linears) {
    int r = rank == null ? Training.DEFAULT_RANK : rank;
    return PeftAdapterConfig.create(
        r,
        alpha == null ? 2.0 * r : alpha,
        dropout == null ? 0 : dropout,
        targets == null || targets.equals(List.of(ALL_LINEAR)) ? linears : targets,
        baseModel);
  }
}
