package dev.lethe.trajectory;

import dev.lethe.format.FormatException;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Writes a trajectory step by step into a folder of work, and moves it into the adapter's folder at the
 * end. A run that was cut off anywhere goes on from any step that {@link #force} has made safe.
 */
public final class TrajectoryWriter implements AutoCloseable {
  private static final String STARTED = "started.json";
  private static final long MAX_BYTES = 1 << 16;

  private final Path work;
  private final AdaptedModel model;
  private final DType dtype;
  private final int batchSize;
  private final long rowBytes;
  private GradientFile gradients;
  private RandomAccessFile steps;
  private int written;

  /**
   * A writer; files are made by {@link #begin}.
   *
   * @param work the folder of work, on the disk of the adapter's folder to be
   * @param dtype of the gradients: BF16 or F32
   * @param batchSize the most slots of a forward pass
   */
  public TrajectoryWriter(Path work, AdaptedModel model, DType dtype, int batchSize) {
    this.work = work;
    this.model = model;
    this.dtype = dtype;
    this.batchSize = batchSize;
    this.rowBytes = Math.multiplyExact(model.layout().size(), dtype.bytes());
  }

  /** The number format of the gradients in a folder of work; null where it holds none. */
  public static DType started(Path work) {
    Path file = work.resolve(STARTED);
    if (!Files.exists(file)) {
      return null;
    }
    String name = StrictJson.readObject(file, MAX_BYTES).path("dtype").asString("");
    return TrajectoryFiles.dtype(name, file.toString());
  }

  /**
   * Starts a trajectory, or goes on with one behind its first steps.
   *
   * @param done steps to keep; 0 starts anew
   * @param theta θ₀ (P) on the backend; read only where {@code done} is 0
   */
  public void begin(int done, Tensor theta) {
    try {
      if (done == 0) {
        if (Files.exists(work)) {
          AtomicFiles.deleteTree(work);
        }
        AtomicFiles.writeText(
            work.resolve(STARTED),
            StrictJson.write(StrictJson.newObject().put("dtype", TrajectoryFiles.name(dtype))));
        SafeTensors.write(
            work.resolve(TrajectoryFiles.INITIAL),
            model.layout().toHost(model.backend(), theta),
            Map.of());
      }
      Path file = work.resolve(TrajectoryFiles.GRADIENTS);
      requireLength(file, done * rowBytes);
      gradients = new GradientFile(file, model.backend(), dtype, done * rowBytes);
      openSteps(done);
      written = done;
    } catch (IOException e) {
      throw GradientFile.failed(work, e);
    }
  }

  /**
   * Appends a step.
   *
   * @param partEnds where its slots were cut into forward passes; null where nobody says
   * @param gradient (P) on the backend, finite
   */
  public void append(LoggedStep step, int[] partEnds, Tensor gradient) {
    String line = StepLines.write(new StepLines.Line(step, partEnds), batchSize) + "\n";
    gradients.append(gradient);
    try {
      steps.write(line.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw GradientFile.failed(work.resolve(TrajectoryFiles.STEPS), e);
    }
    written++;
  }

  /** Steps in the trajectory so far. */
  public int steps() {
    return written;
  }

  /** What was appended so far survives whatever happens. */
  public void force() {
    gradients.force();
    try {
      steps.getFD().sync();
    } catch (IOException e) {
      throw GradientFile.failed(work.resolve(TrajectoryFiles.STEPS), e);
    }
  }

  /**
   * Puts the trajectory into an adapter's folder that is being made and holds the adapter already. The
   * folder of work keeps its files, so that a run that is cut off before the adapter's folder has its name
   * can do this again.
   */
  public void finish(Path adapterDir, Provenance provenance, List<LoggedRow> rows) {
    close();
    Path folder = TrajectoryFiles.folder(adapterDir);
    try {
      Files.createDirectories(folder);
      for (String name :
          List.of(TrajectoryFiles.INITIAL, TrajectoryFiles.GRADIENTS, TrajectoryFiles.STEPS)) {
        link(work.resolve(name), folder.resolve(name));
      }
    } catch (IOException e) {
      throw GradientFile.failed(folder, e);
    }
    String text =
        rows.stream()
            .map(row -> StrictJson.newObject().put("id", row.id()).put("hash", row.hash()))
            .map(json -> json + "\n")
            .collect(Collectors.joining());
    AtomicFiles.writeText(folder.resolve(TrajectoryFiles.ROWS), text);
    header(adapterDir, provenance).write(folder.resolve(TrajectoryFiles.HEADER));
  }

  /** Closes the files; the folder of work stays. */
  @Override
  public void close() {
    try {
      if (gradients != null) {
        gradients.close();
        steps.close();
      }
    } catch (IOException e) {
      throw GradientFile.failed(work, e);
    }
  }

  private TrajectoryHeader header(Path adapterDir, Provenance provenance) {
    return new TrajectoryHeader(
        provenance,
        written,
        model.layout().size(),
        dtype,
        Sha256.ofBytes(adapterDir.resolve(TrajectoryFiles.CONFIG)),
        Sha256.ofBytes(adapterDir.resolve(TrajectoryFiles.ADAPTER)),
        model.layout().parameters());
  }

  /** A second name for a file where the disk has such; otherwise the file moves. */
  private static void link(Path from, Path to) throws IOException {
    try {
      Files.createLink(to, from);
    } catch (IOException | UnsupportedOperationException noLinks) {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  /** Opens the file of steps behind its first lines. */
  private void openSteps(int done) throws IOException {
    Path file = work.resolve(TrajectoryFiles.STEPS);
    long length = 0;
    if (done > 0) {
      byte[] bytes = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
      int lines = 0;
      int at = 0;
      while (lines < done && at < bytes.length) {
        lines += bytes[at++] == '\n' ? 1 : 0;
      }
      if (lines < done) {
        throw cutOff(file, done + " steps", lines + " steps");
      }
      length = at;
    }
    steps = new RandomAccessFile(file.toFile(), "rw");
    steps.setLength(length);
    steps.seek(length);
  }

  private static void requireLength(Path file, long length) throws IOException {
    long size = Files.exists(file) ? Files.size(file) : 0;
    if (size < length) {
      throw cutOff(file, length + " bytes", size + " bytes");
    }
  }

  private static FormatException cutOff(Path file, String expected, String got) {
    return new FormatException(
        FormatException.Kind.TRUNCATED, file.toString(),
        "the trajectory of the unfinished run ends before its checkpoint", expected, got,
        "Delete the folder of the unfinished run and start anew.");
  }
}
