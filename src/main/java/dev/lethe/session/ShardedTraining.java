package dev.lethe.session;

import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.RowShards;
import dev.lethe.train.ShardedAdapter;
import dev.lethe.train.ShardedFolder;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import java.nio.file.Path;
import java.util.List;

/**
 * The command {@code lethe train --sisa}: trains an adapter for each shard of the rows and writes their mean as a PEFT
 * folder, with the shards in it. Same session, rows, options and key: same bytes.
 */
public final class ShardedTraining {
  private final Session session;
  private final List<Sample> rows;
  private final PeftAdapterConfig config;
  private final ShardedAdapter start;
  private Session.Reading reading = Session.Reading.DEFAULT;
  private RowKey key = RowKey.random();
  private TrainMonitor monitor = TrainMonitor.NONE;

  /**
   * @param config of each shard's adapter; the mean has k times its rank
   * @param count k, at least 2
   * @param options of each shard's training
   */
  public ShardedTraining(
      Session session, List<Sample> rows, PeftAdapterConfig config, int count, TrainOptions options) {
    this.session = session;
    this.rows = rows;
    this.config = config;
    this.start = ShardedAdapter.create(config, session.model(), new RowShards(count, options.seed()), options);
  }

  /** How the rows were read, for the record; {@link Session.Reading#DEFAULT} by default. */
  public ShardedTraining reading(Session.Reading value) {
    reading = value;
    return this;
  }

  /** The key of row hashes in the folder; a new one by default. */
  public ShardedTraining rowKey(RowKey value) {
    key = value;
    return this;
  }

  /** Watches every step of every shard, and may stop it. */
  public ShardedTraining monitor(TrainMonitor value) {
    monitor = value;
    return this;
  }

  /** Optimiser steps of all shards. */
  public long steps() {
    return start.steps(start.all(), rows);
  }

  /**
   * Trains and writes.
   *
   * @param folder of the result, borrowed
   * @return how many rows each shard has
   * @throws InterruptedRun where the monitor stopped it; nothing is kept
   */
  public List<Integer> write(RunFolder folder) {
    AdaptedModel model = session.adapted(LoraAdapter.create(config, session.model(), 0));
    try (start;
        ShardedAdapter trained = start.trained(start.all(), rows, model, monitor)) {
      if (trained == null) {
        throw new InterruptedRun("interrupted; a sharded training keeps no state. Run the same command again.");
      }
      try (LoraAdapter mean = trained.mean();
          OutputFolder output = folder.output()) {
        Path dir = output.path();
        mean.writeInto(dir);
        ShardedFolder.write(dir, trained, mean, key, session.promptForm(reading));
        key.write(dir);
        output.commit();
      }
      folder.finish();
      return trained.rows().stream().map(List::size).toList();
    } finally {
      session.close(model);
    }
  }
}
