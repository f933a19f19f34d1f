package dev.lethe.unlearn.result;

import dev.lethe.LetheException;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.unlearn.Unlearner;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.EarlierRequests;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What an {@link Unlearner} made.
 *
 * @param adapter the unlearned adapter, owned by this result
 * @param step from the old parameters to the new ones
 * @param changed whether anything was asked at all; if not, the parameters are the old ones to the
 *     bit
 * @param certificate what was done
 * @param request what was asked
 * @param parts what else belongs into the new folder
 * @param state the folder of the run's saved state, if there is one; {@link #write} deletes it
 */
public record UnlearnResult(
    LoraAdapter adapter,
    ExactStep step,
    boolean changed,
    Certificate certificate,
    UnlearnRequest request,
    List<FolderPart> parts,
    Path state)
    implements AutoCloseable {
  /** Name of the step file in an output folder. */
  public static final String STEP = "lethe_step.safetensors";

  /** Name of the certificate in an output folder. */
  public static final String CERTIFICATE = EarlierRequests.CERTIFICATE;

  private static final List<String> ADAPTER_FILES =
      List.of("adapter_config.json", "adapter_model.safetensors");

  public UnlearnResult {
    parts = List.copyOf(parts);
  }

  /**
   * Writes a new PEFT folder with step and certificate beside the adapter, and the training's record as it is now,
   * whole or not at all; only then is the state of the run given up.
   *
   * @param original the folder that the adapter was read from, with its training's record; its files are copied where
   *     nothing changed, so that not a byte does; null where there is none
   */
  public void write(Path out, Path original) {
    try (OutputFolder folder = OutputFolder.create(out)) {
      Path dir = folder.path();
      if (changed || original == null) {
        adapter.writeInto(dir);
      } else {
        copyAdapter(original, dir);
      }
      StepFile.write(dir.resolve(STEP), adapter.layout(), step);
      certificate.write(dir.resolve(CERTIFICATE));
      parts.forEach(part -> part.writeInto(dir));
      if (original != null) {
        new SuccessorRecord(original, request, adapter.sha256()).writeInto(dir);
      }
      folder.commit();
    }
    if (state != null) {
      Checkpoint.delete(state);
    }
  }

  /** Gives the adapter back; closing twice is harmless. */
  @Override
  public void close() {
    adapter.close();
  }

  private static void copyAdapter(Path original, Path dir) {
    for (String name : ADAPTER_FILES) {
      try {
        Files.copy(original.resolve(name), dir.resolve(name));
      } catch (IOException e) {
        throw new LetheException(
            original.resolve(name).toString(),
            "the adapter's file cannot be copied",
            null,
            e.toString(),
            "Check the folder, or make room for the output.",
            e);
      }
    }
  }
}
