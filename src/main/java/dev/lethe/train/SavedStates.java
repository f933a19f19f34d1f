package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.Sha256;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * θ and the optimiser's vectors after a few steps of a training, kept in {@value #FILE} beside an adapter
 * that has no trajectory: enough for averages over the run, and for exact replay to start behind its first
 * steps. Tensors are called {@code step-00000012/<vector>/<parameter name>}.
 */
public final class SavedStates implements TrainingSink {
  /** The file in the adapter's folder. */
  public static final String FILE = "lethe_checkpoints.safetensors";

  private static final double[] WHEN = {0.03, 0.12, 0.3, 0.5, 0.7, 0.9};
  private static final String ADAPTER = "adapter_sha256";

  private final Path work;
  private final TreeSet<Long> due = new TreeSet<>();

  /**
   * Keeps states at fixed fractions of a run.
   *
   * @param work the folder for them until the run ends
   * @param steps of the whole run
   */
  public SavedStates(Path work, long steps) {
    this.work = work;
    Arrays.stream(WHEN).forEach(part -> due.add(Math.max(1, Math.round(part * steps))));
  }

  /**
   * About how many bytes the states take.
   *
   * @param parameters P
   * @param vector bytes of an element of θ and of the optimiser's vectors
   */
  public static long size(TrainOptions options, long parameters, int vector) {
    long vectors = options.optimizer() == OptimizerKind.ADAMW ? 3 : 2;
    return WHEN.length * vectors * parameters * vector;
  }

  /** Whether an unfinished run keeps states in this folder. */
  public static boolean started(Path work) {
    return Files.isDirectory(work);
  }

  @Override
  public void begin(long updates, Tensor theta) {
    if (updates > 0) {
      return;
    }
    try {
      if (Files.exists(work)) {
        AtomicFiles.deleteTree(work);
      }
      Files.createDirectories(work);
    } catch (IOException e) {
      throw new FormatException(
          FormatException.Kind.WRITE_FAILED, work.toString(), "the folder cannot be made", null,
          e.toString(), "Choose another place that can be written.", e);
    }
  }

  @Override
  public void afterStep(long updates, Supplier<Map<String, Tensor>> state) {
    if (due.contains(updates)) {
      SafeTensors.write(file(updates), state.get(), Map.of());
    }
  }

  /** Puts the states into an adapter's folder that is being made and holds the adapter already. */
  public void finish(Path adapterDir) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    List<SafeTensors> open = new ArrayList<>();
    try {
      for (long step : due) {
        if (Files.exists(file(step))) {
          SafeTensors state = SafeTensors.open(file(step));
          open.add(state);
          state.names().forEach(name -> all.put(prefix(step) + name, state.get(name)));
        }
      }
      SafeTensors.write(adapterDir.resolve(FILE), all, Map.of(ADAPTER, adapter(adapterDir)));
    } finally {
      open.forEach(SafeTensors::close);
    }
  }

  /** Whether an adapter has states. */
  public static boolean exist(Path adapterDir) {
    return Files.exists(adapterDir.resolve(FILE));
  }

  /** The states beside an adapter; refuses those of another adapter. */
  public static Reader open(Path adapterDir) {
    String adapter = adapter(adapterDir);
    SafeTensors file = SafeTensors.open(adapterDir.resolve(FILE));
    String owner = file.metadata().getOrDefault(ADAPTER, "none");
    if (!owner.equals(adapter)) {
      file.close();
      throw new LetheException(
          file.path().toString(), "the states belong to another adapter",
          "SHA-256 " + owner, adapter,
          "Use the folder that the training wrote, or a method that needs no states.");
    }
    return new Reader(file);
  }

  private static String adapter(Path adapterDir) {
    return Sha256.ofBytes(adapterDir.resolve("adapter_model.safetensors"));
  }

  private Path file(long step) {
    return work.resolve(Text.format("step-%08d.safetensors", step));
  }

  private static String prefix(long step) {
    return Text.format("step-%08d/", step);
  }

  /** The states of a file, which is mapped as long as the reader is open. */
  public record Reader(SafeTensors file) implements AutoCloseable {
    /** Optimiser steps after which states were kept, rising. */
    public List<Long> steps() {
      TreeSet<Long> steps = new TreeSet<>();
      for (String name : file.names()) {
        steps.add(Long.parseLong(name.substring("step-".length(), name.indexOf('/'))));
      }
      return List.copyOf(steps);
    }

    /** The state after a step; its tensors die with this reader. */
    public StoredState state(long step) {
      Map<String, Tensor> vectors = new LinkedHashMap<>();
      for (String name : file.names()) {
        if (name.startsWith(prefix(step))) {
          vectors.put(name.substring(prefix(step).length()), file.get(name));
        }
      }
      return new StoredState(step, vectors, file.path().toString());
    }

    @Override
    public void close() {
      file.close();
    }
  }
}
