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
import dev.lethe.cli.option.TrainingTrace;
import dev.lethe.cli.option.TrajectoryOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.Sample;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.session.InterruptedRun;
import dev.lethe.session.RunFolder;
import dev.lethe.session.Session;
import dev.lethe.session.Work;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import dev.lethe.train.TrainingResult;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
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

  @Option(names = "--resume", description = "go on with an interrupted run to the same --out")
  private boolean resume;

  public TrainCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    adapterOptions.check(this);
    editing.check(this);
    minimum.check(this);
    trajectory.check(this, minimum.asked());
    hiddenStates.check(this);
    final TrainOptions options = training.options(this, common.seed);
    RunFolder folder = held(RunFolder.open(out, resume));
    try (Session session =
        hiddenStates.in(dataOptions.in(this, model.open(this, common)))) {
      LoadedRows loaded = session.load(data, dataOptions.reading());
      List<Sample> samples = loaded.samples();
      RowEdits edits = editing.edits(session, dataOptions.reading(), samples);
      AdaptedModel adapted = adapter(session);
      BatchLimits pass = new BatchLimits(options.batchSize(), TrainingPlan.TOKENS_PER_PASS);
      session.memoryPlan(adapted.adapter().config()).fitting(Work.TRAIN, samples, pass, true);
      TrainingPlan plan = TrainingPlan.of(samples, options);
      TrainingProgress watch = new TrainingProgress(this, folder.state(), plan.steps());
      boolean goOn = resume && watch.hasCheckpoint();
      try (watch;
          TrainingTrace trace =
              trajectory.trace(
                  this, folder, adapted, options, samples.size(), minimum.asked(), goOn)) {
        Trainer trainer =
            new Trainer(adapted, plan, options, edits, watch).keep(trace.sink());
        TrainingResult result = trainer.run(folder.state(), goOn);
        watch.close();
        requireCompleted(result, plan, folder);
        Optional<MinimumOptions.Reached> reached =
            minimum.reach(
                this,
                new DatasetLoss(adapted, edits.target(samples), dataOptions.limits()),
                adapted.adapter().theta(),
                folder.hasState());
        String promptForm = session.promptForm(dataOptions.reading());
        write(
            folder, adapted, result, loaded.skipped().size(), watch, reached, promptForm,
            (dir, record) -> trace.finish(dir, adapted, plan, edits, record, promptForm));
        report(result, watch, reached);
        hiddenStates.report(this, session);
        return ExitCode.DONE;
      } catch (RuntimeException | Error e) {
        if (!watch.hasCheckpoint() && folder.hasState()) {
          AtomicFiles.deleteTree(folder.state());
        }
        throw e;
      }
    }
  }

  private static void requireCompleted(
      TrainingResult result, TrainingPlan plan, RunFolder folder) {
    if (!result.completed()) {
      throw new InterruptedRun(
          Text.format(
              "interrupted after step %,d of %,d. The state is in %s; run the same command with --resume.",
              result.record().steps(), plan.steps(), folder.state()));
    }
  }

  private AdaptedModel adapter(Session session) {
    if (adapterOptions.initAdapter != null) {
      return session.adapted(adapterOptions.initAdapter);
    }
    PeftAdapterConfig config =
        adapterOptions.config(model.model.toString(), session.model().spec().linearNames());
    LoraAdapter adapter =
        option("--targets", () -> LoraAdapter.create(config, session.model(), common.seed));
    AdaptedModel adapted = session.adapted(adapter);
    adapterOptions.requireFound(this, adapted.layout());
    return adapted;
  }

  private static void write(
      RunFolder folder,
      AdaptedModel adapted,
      TrainingResult result,
      int skipped,
      TrainingProgress watch,
      Optional<MinimumOptions.Reached> reached,
      String promptForm,
      BiConsumer<Path, TrainingRecord> trace) {
    LoraAdapter adapter = adapted.adapter();
    TrainingRecord record =
        result.record().withAdapter(adapter.sha256()).withSkipped(skipped).withPromptForm(promptForm);
    try (OutputFolder output = folder.output()) {
      Path dir = output.path();
      PeftFolder.writeInto(
          dir,
          adapter.config(),
          adapter.layout().toHost(adapter.model().backend(), adapter.theta()));
      record.write(dir, result.optimizerState());
      reached.ifPresent(minimum -> minimum.record().write(dir));
      watch.writeLog(dir);
      trace.accept(dir, record);
      output.commit();
    }
    folder.finish();
  }

  private void report(
      TrainingResult result, TrainingProgress watch, Optional<MinimumOptions.Reached> reached) {
    ObjectNode json = watch.summary(result.record());
    json.put("out", out.toString());
    reached.ifPresent(minimum -> minimum.record().addTo(json));
    if (output.json) {
      print(json);
      return;
    }
    print(
        Text.format(
            "%s: %,d steps over %,d rows, loss of the last step %.4f",
            out, result.record().steps(), result.record().n(), result.record().finalLoss()));
    reached.ifPresent(minimum -> print(minimum.toText()));
  }
}
