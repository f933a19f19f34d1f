package dev.lethe.unlearn.result;

import dev.lethe.LetheException;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;

/**
 * Where an interrupted run goes on from: one safetensors file in a folder of its own, replaced
 * whole, that holds the parameters at the start of the present outer step and the solver's state.
 * Its metadata says what it belongs to; another model, adapter, data set, request or option is
 * refused by name.
 */
public final class Checkpoint {
  private static final String FILE = "state.safetensors";
  private static final String THETA = "theta";
  private static final String SOLVER = "solver.";
  private static final String IDENTITY = "identity.";
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final Path folder;
  private final Map<String, String> identity;

  /**
   * @param folder made when first written to
   * @param identity what the run depends on, by name
   */
  public Checkpoint(Path folder, Map<String, String> identity) {
    this.folder = folder;
    this.identity = identity;
  }

  /**
   * @param outerStep the step that was interrupted, from 1
   * @param theta host (P) at its start
   * @param done the steps before it
   * @param solver the solver's state; empty where it had not begun
   * @param seconds spent before
   */
  public record State(
      int outerStep,
      Tensor theta,
      List<OuterStep> done,
      Map<String, Tensor> solver,
      double seconds) {}

  /** The folder, if there is a state in it; otherwise null. */
  public Path written() {
    return Files.exists(folder) ? folder : null;
  }

  /** Throws where another run's state is there already. */
  public void requireFree() {
    OutputFolder.refuseExisting(folder);
  }

  public void save(State state) {
    Map<String, Tensor> tensors = new HashMap<>();
    tensors.put(THETA, state.theta);
    state.solver.forEach((name, tensor) -> tensors.put(SOLVER + name, tensor));
    Map<String, String> metadata = new HashMap<>();
    identity.forEach((name, value) -> metadata.put(IDENTITY + name, value));
    metadata.put("outer_step", Integer.toString(state.outerStep));
    metadata.put("seconds", Double.toString(state.seconds));
    metadata.put("done", JSON.writeValueAsString(state.done));
    SafeTensors.write(folder.resolve(FILE), tensors, metadata);
  }

  /** The saved state, copied to the Java heap. */
  public State load() {
    Path file = folder.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw new LetheException(
          folder.toString(),
          "there is no interrupted run to resume",
          "its " + FILE,
          "nothing",
          "Run without --resume, or name the output of the interrupted run.");
    }
    try (SafeTensors tensors = SafeTensors.open(file)) {
      Map<String, String> metadata = tensors.metadata();
      requireSame(metadata);
      Map<String, Tensor> solver = new HashMap<>();
      for (String name : tensors.names()) {
        if (name.startsWith(SOLVER)) {
          solver.put(name.substring(SOLVER.length()), HostTensors.copy(tensors.get(name)));
        }
      }
      return new State(
          Integer.parseInt(metadata.get("outer_step")),
          HostTensors.copy(tensors.get(THETA)),
          List.of(JSON.readValue(metadata.get("done"), OuterStep[].class)),
          solver,
          Double.parseDouble(metadata.get("seconds")));
    }
  }

  /** Removes a state's folder. */
  static void delete(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      System.getLogger(Checkpoint.class.getName())
          .log(System.Logger.Level.WARNING, "cannot delete " + folder, e);
    }
  }

  private void requireSame(Map<String, String> metadata) {
    identity.forEach(
        (name, now) -> {
          String then = metadata.get(IDENTITY + name);
          if (!now.equals(then)) {
            throw new LetheException(
                folder.toString(),
                "the interrupted run had another " + name,
                then,
                now,
                "Repeat the command unchanged, or delete the folder and start anew.");
          }
        });
  }
}
