package dev.lethe.cli.option;

import dev.lethe.format.PeftAdapterConfig;
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
    if (rank != null && rank < 1) {
      throw command.usage("--rank must be at least 1, got " + rank);
    }
  }

  /**
   * A new adapter's configuration.
   *
   * @param linears the model's linear layers by the last parts of their names
   */
  public PeftAdapterConfig config(String baseModel, List<String> linears) {
    int r = rank == null ? 8 : rank;
    return PeftAdapterConfig.create(
        r,
        alpha == null ? 2.0 * r : alpha,
        dropout == null ? 0 : dropout,
        targets == null || targets.equals(List.of(ALL_LINEAR)) ? linears : targets,
        baseModel);
  }
}
