package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOptions;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.EditOptions;
import dev.lethe.cli.option.HiddenStateOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.MinimumOptions;
import dev.lethe.cli.option.TrainingOptions;
import dev.lethe.cli.option.TrajectoryOptions;
import dev.lethe.cli.output.TrainingProgress;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.session.RunFolder;
import dev.lethe.session.Session;
import dev.lethe.session.ShardedTraining;
import dev.lethe.session.Training;
import dev.lethe.session.machine.Work;
import dev.lethe.train.LossMean;
import dev.lethe.train.RowEdits;
import dev.lethe.train.RowShards;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** Fine-tunes an adapter. */
@Command(
    name = "train",
    description = {
      "Fine-tunes a LoRA adapter and writes it as a PEFT folder, with the record that unlearning needs.",
      "Ctrl-C saves the state; the same command with --resume goes on to the same bytes."
    })
public final class TrainCommand extends LetheCommand {
  @Mixin private LoadedModelOptions model;
  @Mixin private DataOptions dataOptions;
  @Mixin private AdapterOptions adapterOptions;
  @Mixin private TrainingOptions training;
  @Mixin private EditOptions editing;
  @Mixin private TrajectoryOptions trajectory;
  @Mixin private MinimumOptions minimum;
  @Mixin private HiddenStateOptions hiddenStates;
  @Mixin private CommonOptions common;

  @Option(names = "--data", required = true, paramLabel = "FILE", description = "training rows")
  private Path data;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "the new adapter")
  private Path out;

  @Option(
      names = "--row-key",
      paramLabel = "FILE",
      description =
          "the key of row hashes in all that the folder holds, such as another adapter's lethe_row_key, so that"
              + " records of both can be compared (default: a new random one)")
  private Path rowKey;

  @Option(
      names = "--sisa",
      paramLabel = "K",
      description =
          "deal the rows to K shards, train an adapter for each and write their mean, of K times the rank; unlearn then"
              + " trains the shards of its rows again, exactly (SISA)")
  private Integer shards;

  @Option(names = "--resume", description = "go on with an interrupted run to the same --out")
  private boolean resume;

  public TrainCommand(Console console) {
    super(console);
  }

  @Override
  public void check() {
    common.check(this);
    dataOptions.check(this);
    adapterOptions.check(this);
    editing.check(this);
    minimum.check(this);
    trajectory.check(this, minimum.asked());
    hiddenStates.check(this);
    TrainOptions options = training.options(this, common.seed);
    require(
        !minimum.asked() || options.lossMean() == LossMean.ROWS,
        "--to-minimum goes to a minimum of the mean over rows: it goes with --loss-mean rows",
        options.lossMean().label());
    if (shards != null) {
      require(shards >= 2 && shards <= RowShards.MOST, "--sisa is 2 to " + RowShards.MOST, shards);
      require(
          !resume && adapterOptions.initAdapter == null && !minimum.asked() && !given(List.of("--trajectory", "--divisor")),
          "--sisa goes without --resume, --init-adapter, --to-minimum, --trajectory and --divisor", shards);
    }
  }

  @Override
  public int run() {
    check();
    final TrainOptions options = training.options(this, common.seed);
    final RowKey key = rowKey == null ? RowKey.random() : option("--row-key", () -> RowKey.read(rowKey));
    RunFolder folder = held(RunFolder.open(out, resume));
    try (Session session =
        hiddenStates.in(dataOptions.in(model.open(this, common.openBackend(this))))) {
      LoadedRows loaded = session.load(data, dataOptions.reading());
      List<Sample> samples = loaded.samples();
      RowEdits edits = editing.edits(this, session, dataOptions.reading(), samples);
      if (shards != null) {
        shards(session, edits.target(samples), options, key, folder);
        return ExitCode.DONE;
      }
      AdaptedModel adapted = adapter(session);
      List<Sample> largest = TrainingPlan.of(samples, options).largestPass(options.batchSize());
      dataOptions.limits(this, session, Work.train(largest.size()), adapted, largest, true);
      TrainingProgress watch = new TrainingProgress(this, options, samples.size());
      Training training =
          new Training(session, samples)
              .options(options)
              .on(adapted)
              .reading(dataOptions.reading())
              .skipped(loaded.skipped().size())
              .edits(edits)
              .rowKey(key)
              .trace(trajectory.choice(this, minimum.asked()))
              .monitor(watch)
              .tell(this::say);
      try (watch;
          Training.Run run = training.start(folder, resume)) {
        run.train();
        watch.close();
        Optional<MinimumOptions.Reached> reached =
            minimum.reach(
                this,
                new DatasetLoss(adapted, edits.target(samples), dataOptions.limits()),
                adapted.adapter().theta(),
                folder.hasState());
        TrainingRecord record = run.write(dir -> reached.ifPresent(m -> m.record().write(dir)));
        report(record, watch, reached);
        hiddenStates.report(this, session);
        return ExitCode.DONE;
      }
    }
  }

  /** SISA; rows that are left out have no slots here, for the shards of the rows that stay are trained as they are. */
  private void shards(Session session, List<Sample> rows, TrainOptions options, RowKey key, RunFolder folder) {
    PeftAdapterConfig config = config(session);
    ShardedTraining sharded =
        new ShardedTraining(session, rows, config, shards, options).reading(dataOptions.reading()).rowKey(key);
    Work training = Work.again("train", options.batchSize(), 2 * shards);
    fitting(session.memoryPlan(config), training, rows, dataOptions.limits(), true);
    List<Integer> sizes;
    try (Progress.Task task = progress().start("shards", sharded.steps(), "steps")) {
      sizes = sharded.monitor(new ShardSteps(this, task)).write(folder);
    }
    if (output.json) {
      ObjectNode json = StrictJson.newObject().put("rows", rows.size()).put("steps", sharded.steps());
      sizes.forEach(json.putArray("shards")::add);
      print(json.put("out", out.toString()));
    } else {
      print(
          Text.format(
              "%s: %d shards of %s rows, an adapter of rank %d each", out, shards,
              sizes.stream().map(String::valueOf).collect(Collectors.joining(", ")), config.r()));
    }
  }

  private PeftAdapterConfig config(Session session) {
    return adapterOptions.config(model.model.toString(), session.model().spec().linearNames());
  }

  private AdaptedModel adapter(Session session) {
    if (adapterOptions.initAdapter != null) {
      return session.adapted(adapterOptions.initAdapter);
    }
    PeftAdapterConfig config = config(session);
    LoraAdapter adapter =
        option("--targets", () -> LoraAdapter.create(config, session.model(), common.seed));
    AdaptedModel adapted = session.adapted(adapter);
    adapterOptions.requireFound(this, adapted.layout());
    return adapted;
  }

  /** Counts the steps of all shards as one training's. */
  private static final class ShardSteps implements TrainMonitor {
    private final TrainCommand command;
    private final Progress.Task task;
    private long done;

    ShardSteps(TrainCommand command, Progress.Task task) {
      this.command = command;
      this.task = task;
    }

    @Override
    public void onStep(StepLog log) {
      task.done(++done, Text.format("loss %.4f", log.loss()));
    }

    @Override
    public boolean interrupted() {
      return command.console.interrupt().requested();
    }
  }

  private void report(
      TrainingRecord record, TrainingProgress watch, Optional<MinimumOptions.Reached> reached) {
    ObjectNode json = watch.summary(record);
    json.put("out", out.toString());
    reached.ifPresent(minimum -> minimum.record().addTo(json));
    if (output.json) {
      print(json);
      return;
    }
    print(
        Text.format(
            "%s: %,d steps over %,d rows, loss of the last step %.4f",
            out, record.steps(), record.n(), record.finalLoss()));
    reached.ifPresent(minimum -> print(minimum.toText()));
  }
}
