package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.file.OutputName;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * The result of a long run and the state of the run: a folder {@code NAME}, which appears whole at the end,
 * and {@code NAME.unfinished} beside it, which is there from the first saved state to the end. The run holds the name
 * until it is closed.
 */
public final class RunFolder implements AutoCloseable {
  private final OutputName name;
  private final Path target;
  private final Path state;

  private RunFolder(OutputName name, Path target, Path state) {
    this.name = name;
    this.target = target;
    this.state = state;
  }

  /**
   * Starts a run, or takes up an interrupted one; takes the name and writes nothing else yet.
   *
   * @param target the folder of the result, which must not exist
   * @param resume whether to go on where a run with the same target stopped
   */
  public static RunFolder open(Path target, boolean resume) {
    Path absolute = target.toAbsolutePath().normalize();
    OutputName name = OutputName.take(absolute);
    boolean opened = false;
    try {
      Path state = state(target, resume);
      opened = true;
      return new RunFolder(name, absolute, state);
    } finally {
      if (!opened) {
        name.close();
      }
    }
  }

  /** The state's folder, there where a run is resumed and nowhere else. */
  private static Path state(Path target, boolean resume) {
    Path state = target.resolveSibling(target.getFileName() + ".unfinished");
    boolean exists = Files.exists(state);
    if (exists && !resume) {
      throw new LetheException(
          state.toString(),
          "an unfinished run to the same output lies here",
          null,
          null,
          "Add --resume to go on with it, or delete the folder to start anew.");
    }
    if (!exists && resume) {
      throw new LetheException(
          state.toString(),
          "there is no unfinished run to resume",
          "the state that an interrupted run left",
          "nothing",
          "Omit --resume, or name the output of the interrupted run.");
    }
    return state;
  }

  /** Where the work saves its state; made by whoever saves. */
  public Path state() {
    return state;
  }

  /** Whether a state was saved. */
  public boolean hasState() {
    return Files.exists(state);
  }

  /** Where the result will be. */
  public Path target() {
    return target;
  }

  /** Starts the folder of the result. */
  public OutputFolder output() {
    return OutputFolder.create(target);
  }

  /** The result is in its place: deletes the state. */
  public void finish() {
    if (!hasState()) {
      return;
    }
    try (Stream<Path> all = Files.walk(state)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Gives the name back. */
  @Override
  public void close() {
    name.close();
  }
}
