package dev.lethe.replay;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.format.SafeTensors;
import dev.lethe.influence.BatchLimits;
import dev.lethe.influence.DrawnPass;
import dev.lethe.influence.FactorStatistics;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.PreparationPlan.Point;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.trajectory.TrainingLog;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Fits the operators of recorded replay to a run, once for all requests: replays the optimiser to chosen steps and
 * samples gradients there. What is finished is kept, so that an interrupted preparation goes on where it stopped and
 * one whose rows were removed makes only what those rows were part of. Same run, settings and backend: same bytes.
 */
public final class Preparation {
  private final TrainingLog log;
  private final AdaptedModel model;
  private final List<Sample> samples;
  private final BatchLimits limits;
  private final OperatorFiles files;
  private final PreparationPlan plan;
  private final PreparationSettings settings;

  /**
   * Opens the folder of a preparation, or makes it.
   *
   * @param log of the run that made the model's adapter
   * @param samples by the places of the log's rows; null for removed ones
   * @param settings null: those of the folder, or the defaults for a new one
   * @throws LetheException where the folder belongs to another run or model, or to other settings
   */
  public Preparation(
      Path dir,
      TrainingLog log,
      AdaptedModel model,
      List<Sample> samples,
      PreparationSettings settings,
      BatchLimits limits) {
    this.log = log;
    this.model = model;
    this.samples = samples;
    this.limits = limits;
    this.files = new OperatorFiles(dir);
    this.settings = settingsOf(files, OperatorFiles.identity(log, model), settings);
    this.plan = new PreparationPlan(log, this.settings);
  }

  private static PreparationSettings settingsOf(
      OperatorFiles files, Map<String, String> identity, PreparationSettings wanted) {
    if (!files.exist()) {
      PreparationSettings made = wanted == null ? PreparationSettings.DEFAULT : wanted;
      files.create(identity, made);
      return made;
    }
    PreparationSettings stored = files.open(identity);
    if (wanted != null && !wanted.equals(stored)) {
      throw new LetheException(
          files.header().toString(), "the operators here are prepared with other settings",
          wanted.toString(), stored.toString(),
          "Leave the settings away, delete the folder, or name another with --operators.");
    }
    return stored;
  }

  /** Cost of what is missing in sample gradients (a forward and a backward of one row). */
  public double cost() {
    return missing().stream().mapToDouble(point -> cost(point) / 3).sum();
  }

  private double cost(Point point) {
    return point.most() + 2.0 * plan.draws() * point.sketch() + 2.0 * point.weights();
  }

  /** Whether nothing is missing. */
  public boolean complete() {
    return missing().isEmpty() && Files.exists(files.ekfac());
  }

  private List<Point> missing() {
    PreparedParts parts = new PreparedParts(files, plan);
    return plan.points().stream()
        .map(parts::missing)
        .filter(point -> point.most() > 0)
        .toList();
  }

  /**
   * Makes what is missing.
   *
   * @return whether it is complete; false where the monitor interrupted
   */
  public boolean run(PreparationMonitor monitor) {
    List<Point> missing = missing();
    Watch watch = new Watch(monitor, missing.stream().mapToLong(Point::most).sum());
    if (!missing.isEmpty()) {
      EkfacParts.delete(files.ekfac());
    }
    try (OptimizerReplay run = new OptimizerReplay(model.backend(), log.options(), log.initial())) {
      for (Point point : missing) {
        while (run.steps() < point.step()) {
          int k = (int) run.steps();
          run.step(log.step(k).rate(), log.gradient(k));
        }
        if (!make(point, run.theta(), watch)) {
          return false;
        }
      }
    }
    if (!Files.exists(files.ekfac())) {
      PreparedParts parts = new PreparedParts(files, plan);
      try (PreparedParts.Sketch sketch = parts.openSketch()) {
        EkfacParts.fit(model, parts.factors(), sketch.parts(), files.ekfac());
      }
    }
    return true;
  }

  /** Samples one step; false where interrupted. */
  private boolean make(Point point, Tensor theta, Watch watch) {
    int[] places = Arrays.copyOf(plan.order(point.step()), point.most());
    int rows = point.sketch() * plan.draws();
    Backend backend = model.backend();
    try (SketchBuffer sketch =
            rows == 0 ? null : new SketchBuffer(files.sketch(point.step()), rows, theta.elements());
        FactorStatistics factors =
            point.factors() == 0 ? null : new FactorStatistics(backend, model.adapted());
        WeightGradients weights =
            point.weights() == 0 ? null : new WeightGradients(backend, model.adapted())) {
      Work work = new Work(point, theta, sketch, factors, weights);
      for (int[] part : parts(point)) {
        int first = part[0];
        for (List<Sample> batch : batches(places, part)) {
          if (watch.interrupted()) {
            return false;
          }
          sample(work, batch, Arrays.copyOfRange(places, first, first + batch.size()), part[0]);
          first += batch.size();
          watch.done(batch.size());
        }
      }
      commit(work, places);
    }
    return true;
  }

  /** The rows of a point cut where one of its purposes ends: first row, and the one behind the last. */
  private static List<int[]> parts(Point point) {
    int[] ends =
        IntStream.of(0, point.factors(), point.sketch(), point.weights())
            .sorted()
            .distinct()
            .toArray();
    return IntStream.range(1, ends.length)
        .mapToObj(i -> new int[] {ends[i - 1], ends[i]})
        .toList();
  }

  private List<List<Sample>> batches(int[] places, int[] part) {
    List<Sample> rows =
        Arrays.stream(places, part[0], part[1])
            .mapToObj(samples::get)
            .toList();
    return Batches.split(rows, limits.maxSamples(), limits.maxTokens());
  }

  private void sample(Work work, List<Sample> batch, int[] places, int first) {
    try (DrawnPass pass = new DrawnPass(model, batch, work.theta)) {
      boolean kept = first < work.point.sketch();
      FactorStatistics factors = first < work.point.factors() ? work.factors : null;
      if (kept || factors != null) {
        long seed = SplitMix64.bits(settings.seed() ^ work.point.step(), work.drawn++);
        pass.draw(plan.draws(), seed, factors, kept ? rows -> keep(work, places, rows) : null);
      }
      if (first < work.point.weights()) {
        work.weights.add(pass.linearization(), 1.0 / work.point.weights());
      }
    }
  }

  private void keep(Work work, int[] places, Tensor rows) {
    for (int i = 0; i < rows.dim(0); i++) {
      model.backend().download(rows.row(i), work.sketch.next(places[i % places.length]));
    }
  }

  private void commit(Work work, int[] places) {
    int step = work.point.step();
    if (work.factors != null) {
      EkfacParts.writeFactors(
          files.factors(step), work.factors, Arrays.copyOf(places, work.point.factors()));
    }
    if (work.sketch != null) {
      work.sketch.commit();
    }
    if (work.weights != null) {
      Map<String, Tensor> tensors =
          new LinkedHashMap<>(WeightGradients.named(work.weights.lowRank(settings.rank())));
      tensors.put(
          OperatorFiles.PLACES,
          OperatorFiles.places(Arrays.copyOf(places, work.point.weights())));
      SafeTensors.write(files.weights(step), tensors, Map.of());
    }
  }

  /** What is made at one step; null: not wanted. */
  private static final class Work {
    private final Point point;
    private final Tensor theta;
    private final SketchBuffer sketch;
    private final FactorStatistics factors;
    private final WeightGradients weights;
    private long drawn;

    Work(
        Point point,
        Tensor theta,
        SketchBuffer sketch,
        FactorStatistics factors,
        WeightGradients weights) {
      this.point = point;
      this.theta = theta;
      this.sketch = sketch;
      this.factors = factors;
      this.weights = weights;
    }
  }

  private static final class Watch {
    private final PreparationMonitor monitor;
    private final long total;
    private long done;

    Watch(PreparationMonitor monitor, long total) {
      this.monitor = monitor;
      this.total = total;
    }

    boolean interrupted() {
      return monitor.interrupted();
    }

    void done(int count) {
      done += count;
      monitor.onProgress(done, total);
    }
  }
}
