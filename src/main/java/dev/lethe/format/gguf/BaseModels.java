package dev.lethe.format.gguf;

import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.huggingface.ModelFiles;
import java.nio.file.Files;
import java.nio.file.Path;

/** Opens base models of every format. */
public final class BaseModels {
  private BaseModels() {}

  /**
   * Opens a model and checks its configuration and headers.
   *
   * @param path a GGUF file, or a Hugging Face folder
   */
  public static ModelFiles open(Path path) {
    return Files.isRegularFile(path) ? GgufModel.open(path) : HfModelFolder.open(path);
  }
}
