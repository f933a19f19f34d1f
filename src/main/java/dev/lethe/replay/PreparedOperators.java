package dev.lethe.replay;

import dev.lethe.LetheException;
import dev.lethe.backend.LoraLinear;
import dev.lethe.format.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.PreparationPlan.Point;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.TrainingLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The operators that a preparation left, ready for replay: a sketch of the Gauss-Newton curvature, shrunk towards
 * EK-FAC, and the bilinear term.
 */
public final class PreparedOperators implements AutoCloseable {
  /** The folder inside the adapter's. */
  public static final String FOLDER = "lethe_operators";

  private final PreparedParts.Sketch sketch;
  private final WeightedSum operator;

  private PreparedOperators(PreparedParts.Sketch sketch, WeightedSum operator) {
    this.sketch = sketch;
    this.operator = operator;
  }

  /** Where an adapter's operators lie. */
  public static Path folder(Path adapterDir) {
    return adapterDir.resolve(FOLDER);
  }

  /**
   * Opens a complete preparation.
   *
   * @param log of the run that it belongs to
   * @throws LetheException where it is incomplete, or belongs to another run or model
   */
  public static PreparedOperators open(Path dir, TrainingLog log, AdaptedModel model) {
    OperatorFiles files = new OperatorFiles(dir);
    PreparedParts parts = complete(files, log, model);
    PreparedParts.Sketch sketch = parts.openSketch();
    try {
      return new PreparedOperators(sketch, operator(files, parts, sketch, model));
    } catch (RuntimeException | Error e) {
      sketch.close();
      throw e;
    }
  }

  private static PreparedParts complete(
      OperatorFiles files, TrainingLog log, AdaptedModel model) {
    if (!files.exist()) {
      throw incomplete(files, "there are no prepared operators");
    }
    PreparationSettings settings = files.open(OperatorFiles.identity(log, model));
    PreparedParts parts = new PreparedParts(files, new PreparationPlan(log, settings));
    boolean missing = parts.plan().points().stream().anyMatch(p -> parts.missing(p).most() > 0);
    if (missing || !Files.exists(files.ekfac())) {
      throw incomplete(files, "the operators are not fully prepared");
    }
    return parts;
  }

  private static WeightedSum operator(
      OperatorFiles files, PreparedParts parts, PreparedParts.Sketch sketch, AdaptedModel model) {
    SketchedGgn ggn = new SketchedGgn(model.backend(), sketch.parts());
    double rho = shrinkage(ggn.rows(), model.layout().size());
    List<LoraLinear> layers = model.adapted();
    BilinearTerm bilinear = new BilinearTerm(model.backend(), layers);
    for (Point point : parts.plan().points()) {
      if (point.weights() > 0) {
        try (SafeTensors file = SafeTensors.open(files.weights(point.step()))) {
          bilinear.add(point.step(), parts.weights(file, layers.size()));
        }
      }
    }
    return new WeightedSum(
        List.of(
            new WeightedSum.Term(1 - rho, ggn),
            new WeightedSum.Term(rho, new EkfacOperator(EkfacParts.read(model, files.ekfac()))),
            new WeightedSum.Term(1, bilinear)));
  }

  /**
   * EK-FAC's share in the curvature: 0.3 where the sketch has at least a quarter as many rows as there are
   * parameters, 0.5 where it has at most a sixteenth, linear in the logarithm in between.
   */
  static double shrinkage(long rows, long parameters) {
    double ratio = Math.log((double) parameters / rows) / Math.log(2);
    return Math.clamp(0.3 + 0.1 * (ratio - 2), 0.3, 0.5);
  }

  /** Rows of the sketch. */
  public long rows() {
    return sketch.parts().stream().mapToLong(part -> part.rows().dim(0)).sum();
  }

  /** The operator, which lives as long as this. */
  public ReplayOperator operator() {
    return operator;
  }

  /**
   * Writes to a new folder what does not come from removed rows: the sketch without their gradients, and the other
   * parts that they had no share in. The rest is missing there, and the next preparation makes it.
   *
   * @param from a preparation, complete or not
   * @param to a folder that does not exist
   * @param before the run that it belongs to
   * @param after the run without the removed rows
   */
  public static void writeWithout(
      Path from, Path to, TrainingLog before, TrainingLog after, AdaptedModel model) {
    OperatorFiles source = new OperatorFiles(from);
    OperatorFiles target = new OperatorFiles(to);
    PreparationSettings settings = source.open(OperatorFiles.identity(before, model));
    createFolder(to);
    target.create(OperatorFiles.identity(after, model), settings);
    for (Point point : new PreparationPlan(before, settings).points()) {
      int step = point.step();
      copySketch(source.sketch(step), target.sketch(step), before, after);
      copyWhole(source.weights(step), target.weights(step), before, after);
      copyWhole(source.factors(step), target.factors(step), before, after);
    }
  }

  private static void createFolder(Path dir) {
    try {
      Files.createDirectories(dir);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void copySketch(Path from, Path to, TrainingLog before, TrainingLog after) {
    if (!Files.exists(from)) {
      return;
    }
    try (SafeTensors file = SafeTensors.open(from)) {
      int[] places = OperatorFiles.places(file.get(OperatorFiles.PLACES));
      Tensor rows = file.get(SketchBuffer.ROWS);
      int[] kept =
          IntStream.range(0, places.length)
              .filter(i -> same(places[i], before, after))
              .toArray();
      if (kept.length == 0) {
        return;
      }
      try (SketchBuffer buffer = new SketchBuffer(to, kept.length, rows.dim(1))) {
        for (int i : kept) {
          buffer.next(places[i]).copyFrom(rows.row(i));
        }
        buffer.commit();
      }
    }
  }

  /** Whether a row is still what was trained on. */
  private static boolean same(int place, TrainingLog before, TrainingLog after) {
    LoggedRow now = after.rows().get(place);
    return !now.removed() && now.equals(before.rows().get(place));
  }

  /** Copies a part unless a removed row has a share in it. */
  private static void copyWhole(Path from, Path to, TrainingLog before, TrainingLog after) {
    if (!Files.exists(from)) {
      return;
    }
    try (SafeTensors file = SafeTensors.open(from)) {
      for (int place : OperatorFiles.places(file.get(OperatorFiles.PLACES))) {
        if (!same(place, before, after)) {
          return;
        }
      }
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      file.names().forEach(name -> tensors.put(name, file.get(name)));
      SafeTensors.write(to, tensors, Map.of());
    }
  }

  private static LetheException incomplete(OperatorFiles files, String problem) {
    return new LetheException(
        files.dir().toString(), problem, "what lethe prepare leaves", "parts of it",
        "Run lethe prepare with the same model, adapter and data.");
  }

  @Override
  public void close() {
    operator.close();
    sketch.close();
  }
}
