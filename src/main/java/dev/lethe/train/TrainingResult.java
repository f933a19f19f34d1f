package dev.lethe.train;

import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Map;

/**
 * How a run ended. The trained parameters are in the adapter itself.
 *
 * @param completed false where it was interrupted
 * @param record of what was done so far
 * @param optimizerState host copies of the optimiser's vectors by {@code <vector>/<parameter name>}
 */
public record TrainingResult(
    boolean completed, TrainingRecord record, Map<String, Tensor> optimizerState) {
  /** Writes the training record into the adapter's folder. */
  public void writeRecord(Path adapterDir) {
    record.write(adapterDir, optimizerState);
  }
}
