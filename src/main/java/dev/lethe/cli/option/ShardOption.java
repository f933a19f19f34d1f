package dev.lethe.cli.option;

import dev.lethe.curvature.DatasetLoss;
import dev.lethe.shard.Shard;
import picocli.CommandLine.Option;

/** Which part of the work. */
public final class ShardOption {
  @Option(
      names = "--shard",
      paramLabel = "I/N",
      description =
          "do part I of N, counted from 0, for lethe merge-shards: any scheduler can run the parts anywhere")
  private String shard;

  /** Refuses what is no shard. */
  public void check(LetheCommand command) {
    command.option("--shard", this::get);
  }

  /** Whether a part was asked for. */
  public boolean given() {
    return shard != null;
  }

  /** The part, all of the work where none was asked for. */
  public Shard get() {
    return given() ? Shard.of(shard) : Shard.WHOLE;
  }

  /** The part's blocks of a data set. */
  public DatasetLoss of(DatasetLoss all) {
    return all.part(get().of(all.blocks()));
  }
}
