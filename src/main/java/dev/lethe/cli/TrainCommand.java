package dev.lethe.cli;

import dev.lethe.data.Sample;
import dev.lethe.format.OutputFolder;
import dev.lethe.format.PeftAdapterConfig;
import dev.lethe.format.PeftFolder;
import dev.lethe.influence.DatasetLoss;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.run.InterruptedRun;
import dev.lethe.run.RunFolder;
import dev.lethe.run.Session;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingResult;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
final class TrainCommand extends LetheCommand {
  @Mixin private ModelOptions model;
  @Mixin private DataOptions dataOptions;
  @Mixin private AdapterOptions adapterOptions;
  @Mixin private TrainingOptions training;
  @Mixin private MinimumOptions minimum;
  @Mixin private CommonOptions common;

  @Option(names = "--data", required = true, paramLabel = "FILE", description = "training rows")
  private Path data;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "the new adapter")
  private Path out;

  @Option(names = "--resume", description = "go on with an interrupted run to the same --out")
  private boolean resume;

  TrainCommand(Console console) {
    super(console);
  }

  @Override
  int run() {
    RunFolder folder = RunFolder.open(out, resume);
    adapterOptions.check(this);
    minimum.check(this);
    TrainOptions options = training.options(common.seed);
    try (Session session = Session.open(model.model, common.openBackend(this))) {
      List<Sample> samples = session.samples(data, dataOptions.reading());
      AdaptedModel adapted = adapter(session);
      TrainingWatch watch =
          new TrainingWatch(this, folder.state(), options.totalSteps(samples.size()));
      Trainer trainer = new Trainer(adapted, samples, options, watch);
      TrainingResult result = trainer.run(folder.state(), resume && watch.hasCheckpoint());
      watch.close();
      if (!result.completed()) {
        throw new InterruptedRun(
            "interrupted after step %,d of %,d. The state is in %s; run the same command with --resume."
                .formatted(
                    result.record().steps(),
                    options.totalSteps(samples.size()),
                    folder.state()));
      }
      Optional<MinimumOptions.Reached> reached =
          minimum.reach(
              this,
              new DatasetLoss(adapted, samples, dataOptions.limits()),
              adapted.adapter().theta(),
              folder.hasState());
      write(folder, adapted.adapter(), result, watch, reached);
      report(result, watch, reached);
      return ExitCode.DONE;
    }
  }

  private AdaptedModel adapter(Session session) {
    if (adapterOptions.initAdapter != null) {
      return session.adapted(adapterOptions.initAdapter);
    }
    PeftAdapterConfig config = adapterOptions.config(model.model.toString());
    return session.adapted(LoraAdapter.create(config, session.model(), common.seed));
  }

  private static void write(
      RunFolder folder,
      LoraAdapter adapter,
      TrainingResult result,
      TrainingWatch watch,
      Optional<MinimumOptions.Reached> reached) {
    try (OutputFolder output = folder.output()) {
      Path dir = output.path();
      PeftFolder.writeInto(
          dir,
          adapter.config(),
          adapter.layout().toHost(adapter.model().backend(), adapter.theta()));
      result.record().withAdapter(adapter.sha256()).write(dir, result.optimizerState());
      reached.ifPresent(minimum -> minimum.write(dir));
      watch.writeLog(dir);
      output.commit();
    }
    folder.finish();
  }

  private void report(
      TrainingResult result, TrainingWatch watch, Optional<MinimumOptions.Reached> reached) {
    ObjectNode json = watch.summary(result.record());
    json.put("out", out.toString());
    reached.ifPresent(minimum -> minimum.addTo(json));
    if (output.json) {
      print(json);
      return;
    }
    print(
        "%s: %,d steps over %,d rows, loss of the last step %.4f"
            .formatted(
                out, result.record().steps(), result.record().n(), result.record().finalLoss()));
    reached.ifPresent(minimum -> print(minimum.toText()));
  }
}
