package dev.lethe.replay.prepare;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.replay.prepare.PreparationPlan.Visit;
import dev.lethe.replay.prepare.PreparedParts.Due;
import dev.lethe.replay.prepare.PreparedParts.Missing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import dev.lethe.tensor.TensorBytes;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.trajectory.TrainingLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Fits the operators of recorded replay to a run, once for all requests: replays the optimiser, visits
 * steps and samples gradients of their own rows there. What is finished is kept, so that an interrupted
 * preparation goes on where it stopped and one whose rows were removed makes only what those rows were
 * part of. Where the model has workers, each visits a step at a time. Same run, settings and backend: same bytes.
 */
public final class Preparation {
  private final TrainingLog log;
  private final AdaptedModel model;
  private final List<Sample> samples;
  private BatchLimits limits;
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

  /** Works on so much at a time instead. */
  public Preparation within(BatchLimits value) {
    limits = value;
    return this;
  }

  /** How large it is. */
  public PreparationSize size() {
    int batch = IntStream.range(0, log.steps()).map(k -> log.step(k).rows().length).max().orElse(1);
    long visits = plan.groups().stream().mapToLong(group -> group.visits().size()).sum();
    int points = plan.longRun() ? 0 : PreparationSize.points(visits, settings);
    return new PreparationSize(batch, plan.draws(), points, settings.rank());
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
    fitToSketch(plan.leading() && !Files.exists(files.directions()), !Files.exists(files.ekfac()));
    if (!plan.longRun() && !Files.exists(files.means())) {
      MeanWeights.fit(files, plan, model.adapted().size(), settings.rank());
    }
    return true;
  }

  private void fitToSketch(boolean directions, boolean ekfac) {
    if (!directions && !ekfac) {
      return;
    }
    try (MappedSketch sketch = parts().openRows()) {
      if (directions) {
        sketch.writeLeading(model.backend(), PreparationPlan.LEADING, files.directions());
      }
      if (ekfac) {
        EkfacParts.fit(model, parts().factors(), sketch.parts(), files.ekfac());
      }
    }
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
    List<Due> visits = PreparedParts.due(missing);
    Watch watch = new Watch(monitor, visits.stream().mapToLong(due -> due.visit().count()).sum());
    if (!missing.isEmpty()) {
      files.deleteDerived();
    }
    int together = model.workers() == null ? 1 : model.workers().count();
    try (OptimizerReplay run = new OptimizerReplay(model.backend(), log.options(), log.initial());
        PartWriter writer = new PartWriter(files, plan.draws(), log.initial().elements())) {
      for (int from = 0; from < visits.size(); from += together) {
        if (watch.interrupted()) {
          return false;
        }
        List<Due> next = visits.subList(from, Math.min(visits.size(), from + together));
        if (model.workers() == null) {
          visit(next.getFirst(), run, writer);
        } else {
          shareOut(next, run, writer);
        }
        next.forEach(due -> watch.done(due.visit().count()));
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

  private void visit(Due due, OptimizerReplay run, PartWriter writer) {
    advance(run, due.visit().step());
    writer.visited(
        due, work(due).at(model, run.theta(), (place, gradient) -> writer.sampled(due, place, gradient)));
  }

  /** Has several steps visited by the model's workers, a step each. */
  private void shareOut(List<Due> visits, OptimizerReplay run, PartWriter writer) {
    List<VisitWork.Sent> sent = new ArrayList<>();
    for (Due due : visits) {
      advance(run, due.visit().step());
      Tensor theta = HostTensors.download(model.backend(), run.theta());
      sent.add(new VisitWork.Sent(work(due), TensorBytes.of(theta)));
    }
    List<VisitWork.Answer> answers = VisitWork.share(model.workers(), sent);
    for (int i = 0; i < answers.size(); i++) {
      Due due = visits.get(i);
      writer.visited(due, answers.get(i).made((place, gradient) -> writer.sampled(due, place, gradient)));
    }
  }

  private void advance(OptimizerReplay run, int step) {
    while (run.steps() < step) {
      int k = (int) run.steps();
      run.step(log.step(k).rate(), log.gradient(k));
    }
  }

  private VisitWork work(Due due) {
    ArrayList<VisitWork.Rows> batches = new ArrayList<>();
    for (Map.Entry<Double, int[]> entry : due.visit().rows().entrySet()) {
      int[] places = entry.getValue();
      List<Sample> rows = Arrays.stream(places).mapToObj(samples::get).toList();
      int first = 0;
      for (List<Sample> part : Batches.split(rows, limits.maxSamples(), limits.maxTokens())) {
        int[] of = Arrays.copyOfRange(places, first, first + part.size());
        batches.add(new VisitWork.Rows(entry.getKey(), of, new ArrayList<>(part)));
        first += part.size();
      }
    }
    return new VisitWork(
        due.visit().step(), batches, due.wanted(), plan.draws(), settings.seed(), settings.rank());
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
