package dev.lethe.replay.prepare;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.Ekfac;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.operator.BilinearTerm;
import dev.lethe.replay.operator.EkfacOperator;
import dev.lethe.replay.operator.RefreshedOperator;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.replay.operator.SketchedGgn;
import dev.lethe.replay.operator.WeightedSum;
import dev.lethe.trajectory.TrainingLog;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The operators that a preparation left, ready for replay: a sketch of the Gauss-Newton curvature, shrunk
 * towards EK-FAC, and the bilinear term. In a long run the bilinear term is left out and the curvature counts twice:
 * what an operator misses adds up there, and only curvature holds it back. Where there are many parameters
 * besides, the sketch's leading directions stay, and EK-FAC takes the others over.
 */
public final class PreparedOperators implements AutoCloseable {
  /** The folder inside the adapter's. */
  public static final String FOLDER = "lethe_operators";

  private static final double LONG_RUN_CURVATURE = 2;

  /** After which turn of the direction a product is made anew, see {@link RefreshedOperator}. */
  private static final double TURN = 0.1;

  /** The same of products with leading directions, which cost less. */
  private static final double TURN_OF_LEADING = 0.05;

  /** Of the sketch. Fewer lose quality (docs/studies/replay-operators.md), more gain nothing. */
  private static final long ROWS_A_PRODUCT = 1000;

  private final MappedSketch sketch;
  private final WeightedSum curvature;
  private final BilinearTerm bilinear;
  private final Backend backend;

  /**
   * @param bilinear null for none
   */
  private PreparedOperators(MappedSketch sketch, BilinearTerm bilinear, WeightedSum curvature, Backend backend) {
    this.sketch = sketch;
    this.curvature = curvature;
    this.bilinear = bilinear;
    this.backend = backend;
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
    MappedSketch sketch = parts.openSketch();
    BilinearTerm bilinear = null;
    try {
      if (!parts.plan().longRun()) {
        bilinear = new BilinearTerm(model.backend(), model.adapted());
        MeanWeights.load(files, parts.plan(), model.adapted().size(), bilinear);
      }
      EkfacOperator ekfac = EkfacParts.operator(model, files.ekfac());
      WeightedSum curvature = curvature(ekfac, sketch, parts.plan().longRun(), model);
      return new PreparedOperators(sketch, bilinear, curvature, model.backend());
    } catch (RuntimeException | Error e) {
      if (bilinear != null) {
        bilinear.close();
      }
      sketch.close();
      throw e;
    }
  }

  /**
   * EK-FAC of the run's mean Gauss-Newton curvature alone; whoever asks closes it. Empty where nothing is prepared, or
   * not all of it.
   *
   * @throws LetheException where what lies there belongs to another run or model
   */
  public static Optional<Ekfac> ekfac(Path dir, TrainingLog log, AdaptedModel model) {
    OperatorFiles files = new OperatorFiles(dir);
    if (!files.exist()) {
      return Optional.empty();
    }
    PreparationSettings settings = files.open(OperatorFiles.identity(log, model));
    boolean complete = new PreparedParts(files, new PreparationPlan(log, settings)).complete();
    return complete ? Optional.of(EkfacParts.read(model, files.ekfac())) : Optional.empty();
  }

  private static PreparedParts complete(
      OperatorFiles files, TrainingLog log, AdaptedModel model) {
    if (!files.exist()) {
      throw incomplete(files, "there are no prepared operators");
    }
    PreparationSettings settings = files.open(OperatorFiles.identity(log, model));
    PreparedParts parts = new PreparedParts(files, new PreparationPlan(log, settings));
    if (!parts.complete()) {
      throw incomplete(files, "the operators are not fully prepared");
    }
    return parts;
  }

  /** Takes EK-FAC over. */
  private static WeightedSum curvature(
      EkfacOperator ekfac, MappedSketch sketch, boolean longRun, AdaptedModel model) {
    try {
      double rho = shrinkage(sketch.rows(), model.layout().size());
      double scale = longRun ? LONG_RUN_CURVATURE : 1;
      SketchedGgn ggn = sketch.curvature(model.backend(), ROWS_A_PRODUCT);
      double left = (1 - rho) * (1 - sketch.kept());
      return new WeightedSum(
          List.of(
              new WeightedSum.Term(scale * (1 - rho), ggn),
              new WeightedSum.Term(scale * (rho + left), ekfac)));
    } catch (RuntimeException | Error e) {
      ekfac.close();
      throw e;
    }
  }

  /**
   * EK-FAC's share in the curvature: 0.3 where the sketch has at least a quarter as many rows as there are
   * parameters, 0.5 where it has at most a sixteenth, linear in the logarithm in between.
   */
  static double shrinkage(long rows, long parameters) {
    double ratio = Math.log((double) parameters / rows) / Math.log(2);
    return Math.clamp(0.3 + 0.1 * (ratio - 2), 0.3, 0.5);
  }

  /** The operator, which lives as long as this. */
  public ReplayOperator operator() {
    return bilinear == null
        ? curvature
        : new WeightedSum(
            List.of(new WeightedSum.Term(1, curvature), new WeightedSum.Term(1, bilinear)));
  }

  /** The curvature alone, without the bilinear term. */
  public ReplayOperator curvature() {
    return curvature;
  }

  /**
   * The operator with the curvature's product kept while the direction has not turned; the caller closes it before this.
   *
   * @param every the most steps from one product to the next, see {@link RefreshedOperator}
   */
  public ReplayOperator operator(int every) {
    if (!sketch.leading()) {
      return new RefreshedOperator(curvature, bilinear, TURN, every, backend);
    }
    WeightedSum.Term sketched = curvature.terms().getFirst();
    WeightedSum.Term ekfac = curvature.terms().getLast();
    return new WeightedSum(List.of(kept(sketched, TURN_OF_LEADING, every), kept(ekfac, TURN, every)));
  }

  private WeightedSum.Term kept(WeightedSum.Term term, double turn, int every) {
    return new WeightedSum.Term(term.weight(), new RefreshedOperator(term.operator(), null, turn, every, backend));
  }

  /**
   * Writes to a new folder what does not come from removed rows: the sketch without their gradients, and
   * the other parts that they had no share in. The rest is missing there, and the next preparation makes
   * it.
   *
   * @param from a preparation, complete or not
   * @param to a folder that does not exist
   * @param before the run that it belongs to
   * @param after the run without the removed rows
   */
  public static void writeWithout(
      Path from, Path to, TrainingLog before, TrainingLog after, AdaptedModel model) {
    new ReducedOperators(before, after).write(new OperatorFiles(from), new OperatorFiles(to), model);
  }

  private static LetheException incomplete(OperatorFiles files, String problem) {
    return new LetheException(
        files.dir().toString(), problem, "what lethe prepare leaves", "parts of it",
        "Run lethe prepare with the same model, adapter and data.");
  }

  @Override
  public void close() {
    curvature.close();
    if (bilinear != null) {
      bilinear.close();
    }
    sketch.close();
  }
}
