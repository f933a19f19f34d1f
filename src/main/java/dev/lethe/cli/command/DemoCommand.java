package dev.lethe.cli.command;

import dev.lethe.backend.Backend;
import dev.lethe.cli.demo.Report;
import dev.lethe.cli.demo.ReportText;
import dev.lethe.cli.demo.Story;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The whole story on a tiny model. */
@Command(
    name = "demo",
    description = {
      "Trains a tiny model and an adapter here and now, makes the adapter forget, correct and reword",
      "facts, trains again without them and compares. No network, no GPU, under two minutes."
    })
public final class DemoCommand extends LetheCommand {
  private static final long SEED = 7;

  @Option(names = "--quick", description = "less of everything: one request, fewer steps")
  private boolean quick;

  @Mixin private CommonOptions common;

  public DemoCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    if (common.threads == 0) {
      common.threads = 1; // its matrices are too small to share
    }
    long seed = common.seed == 0 ? SEED : common.seed;
    Story.Scale scale = quick ? Story.Scale.QUICK : Story.Scale.FULL;
    try (TemporaryFolder dir = TemporaryFolder.create("lethe-demo");
        Backend backend = common.openBackend(this)) {
      Story story =
          new Story(backend, progress(), console.interrupt()::requested, scale, seed);
      Report report = story.run(dir.path());
      if (output.json) {
        print(JsonMapper.shared().<JsonNode>valueToTree(report));
      } else {
        ReportText.of(report).forEach(this::print);
      }
      return ExitCode.DONE;
    }
  }
}
