package dev.lethe.session;

import dev.lethe.Text;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import dev.lethe.train.TrainingResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The command {@code lethe train}: fine-tunes an adapter and writes it as a PEFT folder, with all that unlearning
 * needs later. Same session, rows and options: the bytes of the command.
 */
public final class Training {
  /** The rank of a new adapter that nobody gave one; its alpha is twice that. */
  public static final int DEFAULT_RANK = 8;

  private final Session session;
  private final List<Sample> rows;
  private TrainOptions options = TrainOptions.DEFAULT;
  private AdaptedModel model;
  private Session.Reading reading = Session.Reading.DEFAULT;
  private RowEdits edits = RowEdits.NONE;
  private TraceChoice trace = TraceChoice.USUAL;
  private TrainMonitor monitor = TrainMonitor.NONE;
  private Consumer<String> notes = note -> {};
  private RowKey key = RowKey.random();
  private long skipped;

  /**
   * @param rows that the session read, at least one
   */
  public Training(Session session, List<Sample> rows) {
    this.session = session;
    this.rows = rows;
  }

  /** How to train; {@link TrainOptions#DEFAULT} by default. */
  public Training options(TrainOptions value) {
    options = value;
    return this;
  }

  /**
   * The adapter to train, in place; by default a new one of rank {@value #DEFAULT_RANK} on all linear layers, from the
   * seed of the options.
   */
  public Training on(AdaptedModel adapted) {
    model = adapted;
    return this;
  }

  /** How the rows were read, for the record; {@link Session.Reading#DEFAULT} by default. */
  public Training reading(Session.Reading value) {
    reading = value;
    return this;
  }

  /** How many rows of the data file were skipped, for the record; none by default. */
  public Training skipped(long value) {
    skipped = value;
    return this;
  }

  /** The key of row hashes in all that the folder holds; a new one by default, so that runs differ in them alone. */
  public Training rowKey(RowKey value) {
    key = value;
    return this;
  }

  /** Which rows are left out or read in another version; none by default. */
  public Training edits(RowEdits value) {
    edits = value;
    return this;
  }

  /** What is kept for unlearning; {@link TraceChoice#USUAL} by default. */
  public Training trace(TraceChoice value) {
    trace = value;
    return this;
  }

  /** Watches every step, and may stop the training. */
  public Training monitor(TrainMonitor value) {
    monitor = value;
    return this;
  }

  /** Who is told what is kept and what is not; nobody by default. */
  public Training tell(Consumer<String> reader) {
    notes = reader;
    return this;
  }

  /**
   * Trains and writes the adapter.
   *
   * @param out the folder of the adapter, which must not exist
   * @return what the folder says of the training
   * @throws InterruptedRun where the monitor or an interrupt stopped it; the state is kept beside {@code out}
   */
  public TrainingRecord write(Path out) {
    return write(out, false);
  }

  /** As {@link #write}, from where an interrupted run with the same rows, options and output stopped. */
  public TrainingRecord resume(Path out) {
    return write(out, true);
  }

  private TrainingRecord write(Path out, boolean resume) {
    try (RunFolder folder = RunFolder.open(out, resume);
        Run run = start(folder, resume)) {
      run.train();
      return run.write(dir -> {});
    }
  }

  /**
   * Prepares a run; nothing is computed yet.
   *
   * @param folder borrowed
   * @param resume whether to go on with the run that left its state there
   */
  public Run start(RunFolder folder, boolean resume) {
    return new Run(folder, resume);
  }

  private AdaptedModel fresh() {
    PeftAdapterConfig config =
        PeftAdapterConfig.create(
            DEFAULT_RANK,
            2.0 * DEFAULT_RANK,
            0,
            session.model().spec().linearNames(),
            session.folder().path().toString());
    return session.adapted(LoraAdapter.create(config, session.model(), options.seed()));
  }

  /**
   * One run: first {@link #train}, then {@link #write}. Closing it before that deletes a state without a checkpoint.
   */
  public final class Run implements AutoCloseable {
    private final RunFolder folder;
    private final boolean goOn;
    private final AdaptedModel adapted;
    private final TrainingPlan plan;
    private final TrainingLog log;
    private final TrainingTrace kept;
    private TrainingResult result;

    private Run(RunFolder folder, boolean resume) {
      this.folder = folder;
      this.goOn = resume && hasCheckpoint();
      this.plan = TrainingPlan.of(rows, options);
      this.log = new TrainingLog(folder.state(), monitor);
      this.adapted = model == null ? fresh() : model;
      this.kept = trace.trace(folder, adapted, options, rows.size(), goOn, notes);
    }

    /**
     * Trains to the end.
     *
     * @throws InterruptedRun where it was stopped; the state is kept
     */
    public TrainingResult train() {
      Trainer trainer = new Trainer(adapted, plan, options, edits, log).keep(kept.sink());
      result = trainer.run(folder.state(), goOn);
      if (!result.completed()) {
        throw new InterruptedRun(
            Text.format(
                "interrupted after step %,d of %,d. The state is in %s; run the same command with --resume.",
                result.record().steps(), plan.steps(), folder.state()));
      }
      return result;
    }

    /**
     * Writes the trained adapter with all that belongs to it.
     *
     * @param more writes further files into the folder
     * @return what the folder says of the training
     */
    public TrainingRecord write(Consumer<Path> more) {
      LoraAdapter adapter = adapted.adapter();
      String promptForm = session.promptForm(reading);
      TrainingRecord record =
          result.record().withAdapter(adapter.sha256()).withSkipped(skipped).withPromptForm(promptForm).keyed(key);
      try (OutputFolder output = folder.output()) {
        Path dir = output.path();
        adapter.writeInto(dir);
        record.write(dir, result.optimizerState());
        key.write(dir);
        log.write(dir);
        kept.finish(dir, plan, edits, record, key);
        more.accept(dir);
        output.commit();
      }
      folder.finish();
      return record;
    }

    @Override
    public void close() {
      kept.close();
      if (folder.hasState() && !hasCheckpoint()) {
        AtomicFiles.deleteTree(folder.state());
      }
      if (model == null) {
        session.close(adapted);
      }
    }

    /** Whether the state's folder holds a checkpoint, and not only what the run keeps beside it. */
    private boolean hasCheckpoint() {
      if (!folder.hasState()) {
        return false;
      }
      try (Stream<Path> entries = Files.list(folder.state())) {
        return entries.anyMatch(entry -> entry.getFileName().toString().startsWith("step-"));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
