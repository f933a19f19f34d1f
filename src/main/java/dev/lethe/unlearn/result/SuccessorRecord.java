package dev.lethe.unlearn.result;

import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.MinimumRecord;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.request.Change;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the next request wants to know of the training, for the new folder: its record with the rows as they are now,
 * and AdamW's second moments, from which a damping follows. These are averages of squared gradients over the whole
 * training, changed rows included; first moments stay behind.
 */
final class SuccessorRecord implements FolderPart {
  private final Path original;
  private final UnlearnRequest request;
  private final String adapterSha256;

  SuccessorRecord(Path original, UnlearnRequest request, String adapterSha256) {
    this.original = original;
    this.request = request;
    this.adapterSha256 = adapterSha256;
  }

  /** Writes it, unless a training that was done again left its own. */
  @Override
  public void writeInto(Path dir) {
    if (Files.exists(dir.resolve(TrainingRecord.FILE))) {
      return;
    }
    TrainingRecord.read(original).ifPresent(record -> write(record, dir));
    MinimumRecord.l2(original).ifPresent(l2 -> MinimumRecord.writeL2(dir, l2));
  }

  private void write(TrainingRecord record, Path dir) {
    long replaced =
        request.effective().stream().map(Change::replacement).filter(r -> r != null).count();
    long removed = request.effective().size() - replaced;
    record.after(request.target(), removed, replaced, adapterSha256).write(dir);
    Path moments = original.resolve(TrainingRecord.MOMENTS);
    if (!Files.exists(moments)) {
      return;
    }
    try (SafeTensors file = SafeTensors.open(moments)) {
      Map<String, Tensor> second = new LinkedHashMap<>();
      file.names().stream()
          .filter(name -> name.startsWith(TrainingRecord.SECOND_MOMENT))
          .forEach(name -> second.put(name, file.get(name)));
      SafeTensors.write(dir.resolve(TrainingRecord.MOMENTS), second, Map.of());
    }
  }
}
