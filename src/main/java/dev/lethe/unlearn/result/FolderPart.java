package dev.lethe.unlearn.result;

import java.nio.file.Path;

/** Something that belongs into the folder of an unlearned adapter besides the adapter itself. */
@FunctionalInterface
public interface FolderPart {
  /**
   * Puts it there.
   *
   * @param dir the folder while it is being made; adapter, step and certificate lie there already
   */
  void writeInto(Path dir);
}
