package dev.lethe.format.file;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The name of an output, taken by one run from its start to its end, so that two runs never work towards the same file
 * or folder. What is taken is a lock of the operating system on a hidden file beside the output, {@code .NAME.lock},
 * which says who holds it. The system gives the lock back when its process ends, in whatever way; a file that is left
 * over blocks nobody.
 */
public final class OutputName implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(OutputName.class.getName());
  private static final int HOLDER_BYTES = 256;

  /** Beyond the text, which other processes read while it is locked. */
  private static final long LOCKED = Long.MAX_VALUE - 1;

  /** Closing any channel of a file gives up all locks that this process has on it: it never opens a held one again. */
  private static final Map<Path, String> HELD_HERE = new ConcurrentHashMap<>();

  private final Path file;
  private final FileChannel channel;
  private final List<Path> made;

  private OutputName(Path file, FileChannel channel, List<Path> made) {
    this.file = file;
    this.channel = channel;
    this.made = made;
  }

  /**
   * Takes a name.
   *
   * @param target the file or folder that will be made; the folders above it are made now
   * @throws FormatException where something exists at the target, where another run holds the name, and where nothing
   *     can be written beside it
   */
  public static OutputName take(Path target) {
    OutputFolder.refuseExisting(target);
    OutputName name = hold(target);
    try {
      OutputFolder.refuseExisting(target);
      return name;
    } catch (FormatException e) {
      name.close();
      throw e;
    }
  }

  /** As {@link #take} for what may exist already, and is gone on with. */
  public static OutputName hold(Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    OutputFolder.requireUsable(absolute.getParent());
    List<Path> made = List.of();
    OutputName name = null;
    try {
      made = AtomicFiles.createParents(absolute);
      Path folder = absolute.getParent().toRealPath();
      name = hold(target, folder.resolve("." + absolute.getFileName() + ".lock"), made);
      return name;
    } catch (IOException e) {
      throw AtomicFiles.failed(target, e);
    } finally {
      if (name == null) {
        made.forEach(AtomicFiles::deleteIfEmpty);
      }
    }
  }

  private static OutputName hold(Path target, Path file, List<Path> made) throws IOException {
    String holder =
        Text.format(
            "process %d since %s",
            ProcessHandle.current().pid(), Instant.now().truncatedTo(ChronoUnit.SECONDS));
    String other = HELD_HERE.putIfAbsent(file, holder);
    if (other != null) {
      throw held(target, other);
    }
    boolean ours = false;
    try {
      OutputName name = new OutputName(file, locked(target, file, holder), made);
      ours = true;
      return name;
    } finally {
      if (!ours) {
        HELD_HERE.remove(file);
      }
    }
  }

  /** The lock's file, open and locked; the last holder may delete it between the two. */
  private static FileChannel locked(Path target, Path file, String holder) throws IOException {
    while (true) {
      FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      boolean ours = false;
      try {
        if (!lock(channel, file)) {
          throw held(target, read(channel));
        }
        if (Files.exists(file)) {
          channel.truncate(0).write(ByteBuffer.wrap(holder.getBytes(StandardCharsets.UTF_8)), 0);
          ours = true;
          return channel;
        }
      } finally {
        if (!ours) {
          channel.close();
        }
      }
    }
  }

  /** Whether the lock is ours; so it is taken to be on file systems that have none. */
  private static boolean lock(FileChannel channel, Path file) {
    try {
      FileLock lock = channel.tryLock(LOCKED, 1, false);
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "no locks are to be had beside " + file, e);
      return true;
    }
  }

  private static String read(FileChannel channel) throws IOException {
    ByteBuffer text = ByteBuffer.allocate(HOLDER_BYTES);
    channel.read(text, 0);
    String holder = new String(text.array(), 0, text.position(), StandardCharsets.UTF_8).strip();
    return holder.isEmpty() ? "another process" : holder;
  }

  private static FormatException held(Path target, String holder) {
    return Place.of(target).refuse(
        Kind.OUTPUT_TAKEN, "another run is making this output", "a name that no run holds", holder);
  }

  /** Gives the name back; closing twice is harmless. */
  @Override
  public void close() {
    if (!channel.isOpen()) {
      return;
    }
    AtomicFiles.deleteQuietly(file); // while it is locked: whoever opens it later opens another one
    try {
      channel.close();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "cannot close " + file, e);
    }
    made.forEach(AtomicFiles::deleteIfEmpty);
    HELD_HERE.remove(file);
  }
}
