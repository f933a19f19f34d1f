package dev.lethe.replay.prepare;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DrawnPass;
import dev.lethe.curvature.FactorStatistics;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.prepare.PreparationPlan.Group;
import dev.lethe.replay.prepare.PreparationPlan.Visit;
import dev.lethe.replay.prepare.PreparedParts.Missing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.trajectory.TrainingLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Fits the operators of recorded replay to a run, once for all requests: replays the optimiser, visits
 * steps and samples gradients of their own rows there. What is finished is kept, so that an interrupted
 * preparation goes on where it stopped and one whose rows were removed makes only what those rows were
 * part of. Same run, settings and backend: same bytes.
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
          "Omit the settings, delete the folder, or name another with --operators.");
    }
    return stored;
  }

  /** Cost of what is missing in sample gradients (a forward and a backward of one row). */
  public double cost() {
    return parts().missing().stream().mapToDouble(this::cost).sum();
  }

  private double cost(Missing missing) {
    double cost = 0;
    for (Visit visit : missing.group().visits()) {
      boolean draws = missing.sketch() || missing.factors() && visit.factors();
      double passes = (draws ? 2.0 * plan.draws() : 0) + (missing.weights() ? 2 : 0);
      cost += passes == 0 ? 0 : visit.count() * (1 + passes) / 3;
    }
    return cost;
  }

  /** Whether nothing is missing. */
  public boolean complete() {
    return parts().complete();
  }

  private PreparedParts parts() {
    return new PreparedParts(files, plan);
  }

  /**
   * Makes what is missing.
   *
   * @return whether it is complete; false where the monitor interrupted
   */
  public boolean run(PreparationMonitor monitor) {
    if (!make(parts().missing(), monitor)) {
      return false;
    }
    if (!Files.exists(files.ekfac())) {
      try (PreparedParts.Sketch sketch = parts().openSketch()) {
        EkfacParts.fit(model, parts().factors(), sketch.parts(), files.ekfac());
      }
    }
    if (!plan.longRun() && !Files.exists(files.means())) {
      MeanWeights.fit(files, plan, model.adapted().size(), settings.rank());
    }
    return true;
  }

  /** The parts that a preparation makes one by one, before it fits anything to all of them. */
  public int groups() {
    return plan.groups().size();
  }

  /**
   * Makes what is missing of some parts, and fits nothing: the parts of several such folders, put together, are those
   * of {@link #run}.
   *
   * @return whether they are complete; false where the monitor interrupted
   */
  public boolean run(BlockRange groups, PreparationMonitor monitor) {
    return make(
        parts().missing().stream()
            .filter(each -> each.group().index() >= groups.first() && each.group().index() < groups.end())
            .toList(),
        monitor);
  }

  private boolean make(List<Missing> missing, PreparationMonitor monitor) {
    requireRoom(missing);
    Watch watch = new Watch(monitor, missing.stream().mapToLong(m -> m.group().count()).sum());
    if (!missing.isEmpty()) {
      EkfacParts.delete(files.ekfac());
      EkfacParts.delete(files.means());
    }
    try (OptimizerReplay run = new OptimizerReplay(model.backend(), log.options(), log.initial())) {
      for (Missing group : missing) {
        if (!make(group, run, watch)) {
          return false;
        }
      }
    }
    return true;
  }

  /** The sketch takes nearly all of the room, and its last part lies there twice for a moment. */
  private void requireRoom(List<Missing> missing) {
    long rows = missing.stream().filter(Missing::sketch).mapToLong(m -> m.group().count()).sum();
    long bytes = rows * plan.draws() * log.initial().elements() * DType.BF16.bytes();
    long needed = missing.size() == 1 ? 2 * bytes : bytes;
    try {
      long free = Files.getFileStore(files.dir()).getUsableSpace();
      if (free < needed) {
        throw new LetheException(
            files.dir().toString(), "there is no room for the operators",
            Text.format("%,d bytes", needed), Text.format("%,d bytes free", free),
            "Make room, name another folder with --operators, or ask for fewer --sketch-rows.");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Visits the steps of a group; false where interrupted. */
  private boolean make(Missing missing, OptimizerReplay run, Watch watch) {
    Group group = missing.group();
    int rows = group.count() * plan.draws();
    Path file = files.sketch(group.index());
    Backend backend = model.backend();
    try (SketchBuffer sketch =
            missing.sketch() ? new SketchBuffer(file, rows, log.initial().elements()) : null;
        FactorStatistics factors =
            missing.factors() ? new FactorStatistics(backend, model.adapted()) : null;
        WeightGradients weights =
            missing.weights() ? new WeightGradients(backend, model.adapted()) : null) {
      Work work = new Work(group, sketch, factors, weights, new LinkedHashMap<>());
      for (Visit visit : group.visits()) {
        while (run.steps() < visit.step()) {
          int k = (int) run.steps();
          run.step(log.step(k).rate(), log.gradient(k));
        }
        if (watch.interrupted()) {
          return false;
        }
        visit(work, visit, run.theta());
        watch.done(visit.count());
      }
      commit(work);
    }
    return true;
  }

  private void visit(Work work, Visit visit, Tensor theta) {
    if (work.weights != null) {
      work.weights.clear();
    }
    int batch = 0;
    for (Map.Entry<Double, int[]> entry : visit.rows().entrySet()) {
      int[] places = entry.getValue();
      List<Sample> rows = Arrays.stream(places).mapToObj(samples::get).toList();
      int first = 0;
      for (List<Sample> part : Batches.split(rows, limits.maxSamples(), limits.maxTokens())) {
        int[] of = Arrays.copyOfRange(places, first, first + part.size());
        long seed = SplitMix64.bits(settings.seed() ^ visit.step(), batch++);
        try (DrawnPass pass = new DrawnPass(model, part, theta)) {
          FactorStatistics factors = visit.factors() ? work.factors : null;
          if (work.sketch != null || factors != null) {
            Consumer<Tensor> sink = work.sketch == null ? null : g -> keep(work.sketch, of, g);
            pass.draw(plan.draws(), seed, factors, sink);
          }
          if (work.weights != null) {
            work.weights.add(pass.linearization(), entry.getKey());
          }
        }
        first += part.size();
      }
    }
    if (work.weights != null) {
      WeightGradients.put(visit.step(), work.weights.lowRank(settings.rank()), work.tensors);
      work.tensors.put(
          OperatorFiles.placesOf(visit.step()), OperatorFiles.places(visit.places()));
    }
  }

  private void keep(SketchBuffer sketch, int[] places, Tensor rows) {
    for (int i = 0; i < rows.dim(0); i++) {
      model.backend().download(rows.row(i), sketch.next(places[i % places.length]));
    }
  }

  private void commit(Work work) {
    int index = work.group.index();
    if (work.factors != null) {
      int[] places =
          work.group.visits().stream()
              .filter(Visit::factors)
              .flatMapToInt(visit -> Arrays.stream(visit.places()))
              .toArray();
      EkfacParts.writeFactors(files.factors(index), work.factors, places);
    }
    if (work.sketch != null) {
      work.sketch.commit();
    }
    if (work.weights != null) {
      SafeTensors.write(files.weights(index), work.tensors, Map.of());
    }
  }

  /** What is made of a group; null: not wanted. */
  private record Work(
      Group group,
      SketchBuffer sketch,
      FactorStatistics factors,
      WeightGradients weights,
      Map<String, Tensor> tensors) {}

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
