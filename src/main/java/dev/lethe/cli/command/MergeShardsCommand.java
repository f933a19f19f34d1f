package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.shard.MergedShards;
import dev.lethe.shard.ShardHeader;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shards into the result that one process would have written. */
@Command(
    name = "merge-shards",
    description = {
      "Makes of all shards that gradients, hvp, influence or prepare wrote with --shard what the command writes",
      "without it, to the byte. It needs neither the model nor the data."
    })
public final class MergeShardsCommand extends LetheCommand {
  @Option(
      names = "--out",
      required = true,
      paramLabel = "PATH",
      description = "the result: a file, or a folder of operators, which lethe prepare completes")
  private Path out;

  @Parameters(
      arity = "1..*",
      paramLabel = "SHARD",
      description = "all shards, in any order")
  private List<Path> shards;

  public MergeShardsCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    take(out);
    ShardHeader header = MergedShards.merge(shards, out);
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("out", out.toString())
              .put("content", header.content().toString())
              .put("shards", shards.size()));
    } else {
      String rest =
          header.content() == ShardHeader.Content.OPERATORS
              ? "; lethe prepare --operators " + out + " fits the rest"
              : "";
      print(Text.format("%s: %s of %d shards%s", out, header.content(), shards.size(), rest));
    }
    return ExitCode.DONE;
  }
}
