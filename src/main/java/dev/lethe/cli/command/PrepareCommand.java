package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.ShardOption;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.OutputName;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparationSettings;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.session.InterruptedRun;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.shard.OperatorShards;
import dev.lethe.shard.ShardHeader;
import dev.lethe.shard.ShardOrigin;
import dev.lethe.trajectory.Trajectory;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Makes what all requests of an adapter share. */
@Command(
    name = "prepare",
    description = {
      "Fits the curvature that unlearn --method recorded needs to an adapter's training, once for all",
      "requests. An interrupted preparation goes on where it stopped. unlearn does it by itself on first use."
    })
public final class PrepareCommand extends LetheCommand {
  @Mixin private LoadedModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private DataOptions dataOptions;
  @Mixin private ShardOption shard;
  @Mixin private CommonOptions common;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description = "the rows that the adapter was trained on")
  private Path data;

  @Option(
      names = "--operators",
      paramLabel = "DIR",
      description = "where the result is kept (default: lethe_operators in the adapter's folder)")
  private Path operators;

  @Option(
      names = "--sketch-rows",
      paramLabel = "N",
      description =
          "sampled gradients in all: more cost more and tell more (default: 2400, and more in a long run)")
  private Integer sketchRows;

  public PrepareCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    shard.check(this);
    require(sketchRows == null || sketchRows >= 1, "--sketch-rows is 1 or more", sketchRows);
    require(!shard.given() || operators != null, "--shard needs a folder of its own, --operators", "none");
    Path dir = operators == null ? PreparedOperators.folder(adapter.adapter) : operators;
    held(OutputName.hold(dir));
    OperatorShards.require(dir, shard.given());
    try (Session session = dataOptions.in(model.open(this, common.openDevices(this)))) {
      List<Sample> rows = session.samples(data, dataOptions.reading());
      AdaptedModel adapted = session.adapted(adapter.adapter);
      try (Trajectory log = Trajectory.open(adapter.adapter, adapted)) {
        List<Sample> samples = log.requireMatches(rows, session.promptForm(dataOptions.reading()));
        Preparation preparation =
            new Preparation(dir, log, adapted, samples, settings(), dataOptions.limits());
        Work work = Work.prepare(preparation.size());
        preparation.within(dataOptions.limits(this, session, work, adapted, rows, shard.given()));
        if (shard.given()) {
          prepareShard(preparation, dir, adapted, rows);
        } else {
          prepare(preparation, dir, log);
        }
      }
      return ExitCode.DONE;
    }
  }

  /** Null where nothing was asked for: then an existing folder's own settings hold. */
  private PreparationSettings settings() {
    if (sketchRows == null && common.seed == 0) {
      return null;
    }
    PreparationSettings chosen = PreparationSettings.DEFAULT.withSeed(common.seed);
    return sketchRows == null ? chosen : chosen.withSketchRows(sketchRows);
  }

  private void prepare(Preparation preparation, Path dir, Trajectory log) {
    long start = System.nanoTime();
    double cost = preparation.cost();
    boolean complete;
    try (Progress.Task task = progress().start("prepare", 0, "rows")) {
      complete = preparation.run(new Watch(task));
    }
    requireComplete(complete, dir);
    report(dir, cost, slots(log), (System.nanoTime() - start) * 1e-9);
  }

  private void prepareShard(
      Preparation preparation, Path dir, AdaptedModel adapted, List<Sample> rows) {
    BlockRange groups = shard.get().of(preparation.groups());
    ShardOrigin origin =
        ShardOrigin.of("prepare", adapted, rows, dataOptions.limits())
            .with("parts", preparation.groups());
    OperatorShards.mark(
        dir, new ShardHeader(shard.get(), ShardHeader.Content.OPERATORS, origin, Map.of()));
    try (Progress.Task task = progress().start("prepare", 0, "rows")) {
      requireComplete(preparation.run(groups, new Watch(task)), dir);
    }
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("operators", dir.toString())
              .put("shard", shard.get().toString())
              .put("parts", groups.size())
              .put("parts_in_all", preparation.groups()));
    } else {
      print(
          Text.format(
              "%s: shard %s, %d of %d parts", dir, shard.get(), groups.size(), preparation.groups()));
    }
  }

  private static void requireComplete(boolean complete, Path dir) {
    if (!complete) {
      throw new InterruptedRun(
          Text.format("interrupted; what was finished is in %s. Run the same command again.", dir));
    }
  }

  /** Sample gradients of the training. */
  private static long slots(Trajectory log) {
    long slots = 0;
    for (int k = 0; k < log.steps(); k++) {
      slots += log.step(k).rows().length;
    }
    return slots;
  }

  private void report(Path dir, double cost, long slots, double seconds) {
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("operators", dir.toString())
              .put("sample_gradients", cost)
              .put("retrainings", cost / slots)
              .put("seconds", seconds));
    } else {
      print(
          Text.format(
              "%s: prepared with %,.0f sample gradients (%.2f of a training) in %s",
              dir, cost, cost / slots, Progress.duration(seconds)));
    }
  }

  private final class Watch implements PreparationMonitor {
    private final Progress.Task task;

    Watch(Progress.Task task) {
      this.task = task;
    }

    @Override
    public void onProgress(long samples, long total) {
      task.done(samples, Text.format("of %,d", total));
    }

    @Override
    public boolean interrupted() {
      return console.interrupt().requested();
    }
  }
}
