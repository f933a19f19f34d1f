package dev.lethe.run;

import dev.lethe.LetheException;
import dev.lethe.format.AtomicFiles;
import dev.lethe.format.OutputFolder;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The state of a long run whose result is a folder: {@code NAME.unfinished} beside the result {@code
 * NAME}. It holds {@code run.json}, which says what was asked, and whatever the work saves; it is gone
 * when the run succeeds, or fails before anything was saved, and stays when the run is interrupted.
 */
public final class RunFolder implements AutoCloseable {
  private static final String REQUEST = "run.json";
  private static final long MAX_REQUEST = 16 << 20;

  private final Path target;
  private final Path state;
  private final boolean resumed;

  private RunFolder(Path target, Path state, boolean resumed) {
    this.target = target;
    this.state = state;
    this.resumed = resumed;
  }

  /**
   * Starts a run, or takes up an interrupted one.
   *
   * @param target the folder of the result, which must not exist
   * @param resume whether to go on where a run with the same target stopped
   * @param request options and hashes that must be equal for a run to be resumed
   */
  public static RunFolder open(Path target, boolean resume, ObjectNode request) {
    OutputFolder.refuseExisting(target.toAbsolutePath().normalize());
    Path state = stateOf(target);
    boolean exists = Files.exists(state);
    if (exists && !resume) {
      throw new LetheException(
          state.toString(),
          "an unfinished run to the same output lies here",
          null,
          null,
          "Go on with --resume, or delete the folder to start anew");
    }
    RunFolder run = new RunFolder(target, state, exists);
    if (exists) {
      run.requireSame(request);
    } else {
      AtomicFiles.writeText(state.resolve(REQUEST), StrictJson.write(request));
    }
    return run;
  }

  /** Where the state of a run to the given result lies. */
  public static Path stateOf(Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    return absolute.resolveSibling(absolute.getFileName() + ".unfinished");
  }

  /** Where the work saves its state. */
  public Path state() {
    return state;
  }

  /** Whether this run goes on where another stopped. */
  public boolean resumed() {
    return resumed;
  }

  /** Starts the folder of the result. */
  public OutputFolder output() {
    return OutputFolder.create(target);
  }

  /** The result is in its place: deletes the state. */
  public void finish() {
    delete();
  }

  /** Deletes the state where nothing worth keeping was saved. */
  @Override
  public void close() {
    if (Files.exists(state) && files().equals(List.of(state.resolve(REQUEST)))) {
      delete();
    }
  }

  private void requireSame(ObjectNode request) {
    ObjectNode before = StrictJson.readObject(state.resolve(REQUEST), MAX_REQUEST);
    JsonNode now = StrictJson.parse(StrictJson.write(request), REQUEST);
    for (Map.Entry<String, JsonNode> entry : now.properties()) {
      JsonNode old = before.path(entry.getKey());
      if (!old.equals(entry.getValue())) {
        throw new LetheException(
            state.resolve(REQUEST).toString(),
            "the unfinished run was asked for something else, see '" + entry.getKey() + "'",
            old.toString(),
            entry.getValue().toString(),
            "Use the same options and files to resume, or delete the folder to start anew");
      }
    }
  }

  private List<Path> files() {
    try (Stream<Path> all = Files.walk(state)) {
      return all.filter(Files::isRegularFile).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void delete() {
    try (Stream<Path> all = Files.walk(state)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
