package dev.lethe.trajectory;

import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingRecord;
import java.util.ArrayList;
import java.util.List;

/**
 * What a trajectory belongs to.
 *
 * @param options of the training; those of a trajectory that another program wrote have its optimiser,
 *     constants and clipping, and say nothing else
 * @param promptForm how rows became tokens, in words
 * @param modelSha256 of the base model
 * @param dataSha256 of the rows that were trained on, {@link TrainingRecord#dataSha256} under the key; empty where
 *     another program wrote the trajectory
 * @param rowKey key of the row hashes, in hex
 * @param trainedBy {@value #LETHE}, or the program that wrote the trajectory
 * @param edits how the rows differ from those that order and batches belong to
 * @param chain hashes of the certificates of the requests that were carried out since, oldest first
 */
public record Provenance(
    TrainOptions options,
    String promptForm,
    String modelSha256,
    String dataSha256,
    String rowKey,
    String trainedBy,
    TrainingRecord.Edits edits,
    List<String> chain) {
  /** Who trained where it was Lethe. */
  public static final String LETHE = "lethe";

  public Provenance {
    chain = List.copyOf(chain);
  }

  /** Whether another program wrote the trajectory. */
  public boolean foreign() {
    return !trainedBy.equals(LETHE);
  }

  /**
   * The provenance of the trajectory that a request leaves.
   *
   * @param remainingDataSha256 of the rows as they are now
   * @param changes edits since the original training, this request included
   * @param certificateSha256 of the request's certificate
   */
  public Provenance after(
      String remainingDataSha256, TrainingRecord.Edits changes, String certificateSha256) {
    List<String> longer = new ArrayList<>(chain);
    longer.add(certificateSha256);
    return new Provenance(
        options, promptForm, modelSha256, remainingDataSha256, rowKey, trainedBy, changes, longer);
  }
}
