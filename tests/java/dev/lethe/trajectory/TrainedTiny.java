package dev.lethe.trajectory;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.data.Sample;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A tiny model and adapters that are trained on it with a trajectory. */
final class TrainedTiny implements AutoCloseable {
  static final long SEED = 53;
  static final String EMULATED = "emulated";
  static final String FORM = "automatic";
  static final TrainOptions OPTIONS =
      TrainOptions.builder()
          .learningRate(0.01)
          .schedule(Schedule.LINEAR)
          .warmupSteps(1)
          .epochs(3)
          .batchSize(2)
          .accumulation(2)
          .clip(0.5)
          .weightDecay(0.02)
          .momentum(0.9)
          .seed(9)
          .build();

  final Path dir;
  final Backend backend;
  final List<Sample> rows = TinyModels.samples(11, 13, 4, 9, SEED);
  private final TinyModels.Tiny tiny;
  private final List<LoraAdapter> adapters = new ArrayList<>();

  TrainedTiny(Path dir, String device) {
    this.dir = dir;
    backend =
        device.equals(EMULATED)
            ? EmulatedBackends.open(DType.F32)
            : Backends.select(device, BackendOptions.DEFAULT);
    TinyModels.Dims dims = new TinyModels.Dims(1, 8, 11, 2, 1, 13, 32, "");
    tiny = TinyModels.open(dir.resolve("model-" + device), dims, backend, SEED);
  }

  /** An adapter as training starts from. */
  AdaptedModel fresh() {
    List<String> targets = List.of("q_proj", "v_proj", "down_proj");
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0, targets, "tiny");
    LoraAdapter adapter = TinyModels.adapter(config, tiny.model(), SEED);
    adapters.add(adapter);
    return new AdaptedModel(tiny.model(), adapter);
  }

  /** Trains an adapter to the end and writes its folder. */
  Path train(AdaptedModel model, String name, TrainOptions options, RowEdits edits, DType dtype) {
    return train(model, name, options, edits, dtype, TrainMonitor.NONE, false);
  }

  /** Trains an adapter; null where the listener interrupts. */
  Path train(
      AdaptedModel model,
      String name,
      TrainOptions options,
      RowEdits edits,
      DType dtype,
      TrainMonitor listener,
      boolean resume) {
    Path state = dir.resolve(name + ".unfinished");
    TrainingPlan plan = TrainingPlan.of(rows, options);
    try (TrajectoryWriter writer =
        new TrajectoryWriter(work(name), model, dtype, options.batchSize())) {
      Trainer trainer =
          new Trainer(model, plan, options, edits, listener).keep(new TrajectorySink(writer));
      TrainingResult result = trainer.run(state, resume);
      if (!result.completed()) {
        return null;
      }
      Path folder = dir.resolve(name);
      model.adapter().save(folder);
      String key = RowHashes.key("test");
      Provenance provenance =
          new Provenance(
              options, FORM, model.model().sha256(), result.record().dataSha256(), key,
              Provenance.LETHE, result.record().edits(), List.of());
      writer.finish(folder, provenance, RowHashes.of(key, rows, edits));
      AtomicFiles.deleteTree(state);
      return folder;
    }
  }

  /** The folder of work of an unfinished run. */
  Path work(String name) {
    return dir.resolve(name + ".unfinished").resolve(TrajectoryFiles.FOLDER);
  }

  /** A copy of an adapter's folder under another name. */
  Path copy(Path folder, String name) {
    Path copy = dir.resolve(name);
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(folder.relativize(file).toString()));
      }
      return copy;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static double[] theta(AdaptedModel model) {
    LoraAdapter adapter = model.adapter();
    double[] all = new double[Math.toIntExact(adapter.layout().size())];
    model.backend()
        .download(
            adapter.theta(),
            Tensor.of(Shape.of(all.length), all));
    return all;
  }

  @Override
  public void close() {
    adapters.forEach(LoraAdapter::close);
    tiny.close();
    backend.close();
  }
}
