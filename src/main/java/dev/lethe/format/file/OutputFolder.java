package dev.lethe.format.file;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.format.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A folder that appears whole or not at all. {@link #create} refuses a target that exists, files go
 * into {@link #path}, a temporary sibling, and {@link #commit} gives it its name. Closing without a
 * commit deletes everything.
 *
 * <pre>{@code
 * try (OutputFolder out = OutputFolder.create(target)) {
 *   SafeTensors.write(out.path().resolve("step.safetensors"), tensors, Map.of());
 *   out.commit();
 * }
 * }</pre>
 */
public final class OutputFolder implements AutoCloseable {
  private final Path target;
  private final Path temporary;
  private boolean committed;

  private OutputFolder(Path target, Path temporary) {
    this.target = target;
    this.temporary = temporary;
  }

  /** Starts a folder. Throws {@link FormatException} where the target exists. */
  public static OutputFolder create(Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    refuseExisting(absolute);
    Path temporary = AtomicFiles.temporarySibling(absolute);
    try {
      AtomicFiles.createParents(absolute);
      Files.createDirectory(temporary);
    } catch (IOException e) {
      throw AtomicFiles.failed(target, e);
    }
    return new OutputFolder(absolute, temporary);
  }

  /** Throws where something exists at the target, so that a long run can ask before it starts. */
  public static void refuseExisting(Path target) {
    if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      throw Place.of(target).refuse(
          Kind.OUTPUT_EXISTS, "the output exists already and is never overwritten", "a name that is free",
          Files.isDirectory(target) ? "a folder" : "a file");
    }
  }

  /**
   * The folder; throws where it is none or cannot be made or written to, so that a long run can ask before it starts.
   */
  public static Path requireUsable(Path folder) {
    Path at = folder.toAbsolutePath().normalize();
    while (at != null && Files.notExists(at, LinkOption.NOFOLLOW_LINKS)) {
      at = at.getParent();
    }
    if (at == null || !Files.isDirectory(at) || !Files.isWritable(at)) {
      throw Place.of(folder).refuse(
          Kind.WRITE_FAILED, "nothing can be written here", "a folder that can be made or written to",
          at == null ? "nothing" : at + (Files.isDirectory(at) ? ", which is not writable" : ", which is no folder"));
    }
    return folder;
  }

  /** Where to write until {@link #commit}. */
  public Path path() {
    return temporary;
  }

  /** Where the folder will be. */
  public Path target() {
    return target;
  }

  /** Forces everything to the disk and gives the folder its name. */
  public void commit() {
    MappedFile.requireUnchanged();
    refuseExisting(target);
    try {
      forceAll();
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      committed = true;
      AtomicFiles.force(target.getParent());
    } catch (IOException e) {
      throw AtomicFiles.failed(target, e);
    }
  }

  /** Deletes what was written, unless it was committed. */
  @Override
  public void close() {
    if (committed || !Files.exists(temporary)) {
      return;
    }
    AtomicFiles.deleteTree(temporary);
  }

  private void forceAll() throws IOException {
    Files.walkFileTree(
        temporary,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            if (attributes.isRegularFile()) {
              AtomicFiles.forceOpened(file, StandardOpenOption.WRITE);
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path folder, IOException e) throws IOException {
            AtomicFiles.force(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
