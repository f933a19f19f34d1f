package dev.lethe.format.file;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.IoReason;
import dev.lethe.format.Place;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * Files that appear whole or not at all: everything goes to a temporary sibling, is forced to the
 * disk and renamed. A failure, a full disk included, removes the sibling and leaves what was there
 * before.
 */
public final class AtomicFiles {
  private static final System.Logger LOG = System.getLogger(AtomicFiles.class.getName());
  private static final SecureRandom RANDOM = new SecureRandom();

  private AtomicFiles() {}

  /** Writes the bytes of a file that is being made; called again where an interrupt cut it off. */
  @FunctionalInterface
  public interface Body {
    void writeTo(FileChannel channel) throws IOException;
  }

  /** Writes a file, replacing what was there. */
  public static void write(Path file, Body body) {
    Path target = file.toAbsolutePath();
    Path temporary = temporarySibling(target);
    List<Path> made = List.of();
    boolean written = false;
    try {
      made = createParents(target);
      Uninterrupted.run(() -> writeThrough(temporary, body));
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      force(target.getParent());
      written = true;
    } catch (IOException e) {
      throw failed(file, e);
    } finally {
      deleteQuietly(temporary);
      if (!written) {
        made.forEach(AtomicFiles::deleteIfEmpty);
      }
    }
  }

  private static Path writeThrough(Path file, Body body) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      body.writeTo(channel);
      channel.force(true);
    }
    return file;
  }

  /** Writes a text file in UTF-8, replacing what was there. */
  public static void writeText(Path file, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    write(
        file,
        channel -> {
          ByteBuffer bytes = ByteBuffer.wrap(utf8);
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  /** Deletes a folder and all below it, following no links; what cannot be deleted is logged. */
  public static void deleteTree(Path folder) {
    try {
      Files.walkFileTree(folder, new Deleter());
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "cannot delete " + folder, e);
    }
  }

  /**
   * A name beside the target that nobody else uses; hidden, so that half-made output is not taken
   * for whole.
   */
  static Path temporarySibling(Path target) {
    byte[] salt = new byte[6];
    RANDOM.nextBytes(salt);
    return target.resolveSibling(
        "." + target.getFileName() + "." + HexFormat.of().formatHex(salt) + ".partial");
  }

  /** Makes the folders above a target; returns those that were not there, deepest first. */
  static List<Path> createParents(Path target) throws IOException {
    List<Path> missing = new ArrayList<>();
    for (Path at = target.getParent(); at != null && Files.notExists(at); at = at.getParent()) {
      missing.add(at);
    }
    try {
      Files.createDirectories(target.getParent());
    } catch (FileAlreadyExistsException e) {
      throw new IOException(target.getParent() + " is not a folder", e);
    }
    return missing;
  }

  /** Forces a folder's entries to the disk where the system can do that. */
  static void force(Path folder) throws IOException {
    if (java.io.File.separatorChar == '/') {
      forceOpened(folder, StandardOpenOption.READ);
    }
  }

  /** Forces a file or folder to the disk, opened as the system wants it. */
  static void forceOpened(Path path, StandardOpenOption how) throws IOException {
    Uninterrupted.run(
        () -> {
          try (FileChannel channel = FileChannel.open(path, how)) {
            channel.force(true);
          }
          return path;
        });
  }

  static FormatException failed(Path target, IOException e) {
    return Place.of(target).refuse(
        Kind.WRITE_FAILED, "writing failed and nothing was left behind", null,
        IoReason.of(e) + freeSpace(target.toAbsolutePath()), e);
  }

  private static String freeSpace(Path target) {
    for (Path at = target.getParent(); at != null; at = at.getParent()) {
      if (Files.isDirectory(at)) {
        try {
          return Text.format(" (%,d bytes free in %s)", Files.getFileStore(at).getUsableSpace(), at);
        } catch (IOException unknown) {
          return "";
        }
      }
    }
    return "";
  }

  static void deleteQuietly(Path file) {
    try {
      if (Files.exists(file)) {
        Files.delete(file);
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "cannot delete the temporary file " + file, e);
    }
  }

  static void deleteIfEmpty(Path folder) {
    try {
      Files.deleteIfExists(folder);
    } catch (DirectoryNotEmptyException e) {
      LOG.log(System.Logger.Level.DEBUG, "{0} is in use by now", folder);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "cannot delete the empty folder " + folder, e);
    }
  }

  private static final class Deleter extends SimpleFileVisitor<Path> {
    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      Files.delete(file);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path folder, IOException e) throws IOException {
      Files.delete(folder);
      return FileVisitResult.CONTINUE;
    }
  }
}
