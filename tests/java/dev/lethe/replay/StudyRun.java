package dev.lethe.replay;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparationSettings;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.RowEdits;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Trains a setting, trains it again without its request, and judges what a replay comes to against that. */
final class StudyRun implements AutoCloseable {
  final StudySetting setting;
  final RowEdits edits;
  final List<Sample> forgotten;
  final List<Sample> retained;
  final MemoryLog log;
  final double[] trained;
  final double[] retrained;

  StudyRun(String name, String device) {
    this(new StudySetting(name, device));
  }

  /** Runs a setting, which is closed with this. */
  StudyRun(StudySetting setting) {
    this.setting = setting;
    edits = setting.edits;
    forgotten = setting.forgotten;
    retained = setting.retained;
    setting.train(edits);
    retrained = setting.theta();
    log = setting.train(RowEdits.NONE);
    trained = setting.theta();
  }

  /** A variant of a setting, with the setting's own request. */
  static StudyRun of(String name, String device, StudySetting.Variant variant) {
    return new StudyRun(new StudySetting(name, device, variant, 0));
  }

  private StudyRun(StudyRun training, List<Integer> places) {
    setting = training.setting;
    log = training.log;
    trained = training.trained;
    forgotten = places.stream().map(setting.rows::get).toList();
    List<String> ids = forgotten.stream().map(Sample::id).toList();
    edits = RowEdits.of(setting.rows, ids, List.of(), Divisor.KEEP);
    retained = setting.retained.stream().filter(row -> !forgotten.contains(row)).toList();
    setting.train(edits);
    retrained = setting.theta();
    setting.reset(trained);
  }

  /** Another request to the same training: the removal of other rows. The first run's to close. */
  StudyRun removing(List<Integer> places) {
    return new StudyRun(this, places);
  }

  /** The request by the places of its rows. */
  ReplayRequest request() {
    Map<Integer, RowChange> changes = new HashMap<>();
    for (int i = 0; i < setting.rows.size(); i++) {
      Sample row = setting.rows.get(i);
      Sample read = edits.apply(row);
      if (read != row) {
        changes.put(i, RowChange.of(row, read));
      }
    }
    return new ReplayRequest(changes, edits.divisor());
  }

  /** Prepares operators in a folder. */
  PreparedOperators prepare(Path dir, PreparationSettings settings) {
    new Preparation(dir, log, setting.model, setting.rows, settings, BatchLimits.DEFAULT)
        .run(PreparationMonitor.NONE);
    return PreparedOperators.open(dir, log, setting.model);
  }

  /** θ after the replay of the request. */
  double[] replay(MemoryLog from, ReplayOperator operator) {
    Replayed replayed =
        new RecordedReplay(
                from, new ModelGradients(setting.model, setting.options, BatchLimits.DEFAULT), operator, setting.backend)
            .run(List.of(request()), null);
    double[] theta = trained.clone();
    for (int i = 0; i < theta.length; i++) {
      theta[i] += replayed.differences().get(i);
    }
    return theta;
  }

  /** A replay that measures and corrects the operator at so many steps. */
  MeasuredReplay.Outcome measured(ReplayOperator operator, int steps) {
    return new MeasuredReplay(
            log,
            setting.rows,
            new ModelGradients(setting.model, setting.options, BatchLimits.DEFAULT),
            operator,
            setting.backend,
            steps)
        .run(request(), null);
  }

  /** What a certificate would say is closed, of rows. */
  double estimated(MeasuredReplay.Outcome outcome, List<Sample> rows) {
    return new ReplayError(setting.model, BatchLimits.DEFAULT, outcome).closed(rows);
  }

  private Tensor upload(double[] theta, Scope scope) {
    Tensor at = scope.allocate(setting.backend.vectorType(), theta.length);
    setting.backend.upload(Tensor.of(Shape.of(theta.length), theta), at);
    return at;
  }

  /** θ after one step from averages over the run. */
  double[] averaged() {
    List<Sample> target = edits.target(setting.rows);
    int steps = log.steps();
    double all = 0;
    double[] theta = trained.clone();
    try (AveragedStep step =
            new AveragedStep(
                setting.model, target, request().changes().values(), setting.rows.size(), BatchLimits.DEFAULT);
        OptimizerReplay stream = new OptimizerReplay(setting.backend, log.options(), log.initial())) {
      int count = AveragedStep.WHERE.size();
      int from = 0;
      for (int j = 0; j < count; j++) {
        int at = (int) Math.max(1, Math.round(AveragedStep.WHERE.get(j) * steps));
        double next = j + 1 < count ? AveragedStep.WHERE.get(j + 1) * steps : 2 * steps - at;
        int end = (int) Math.round((at + next) / 2);
        double rates = 0;
        for (int k = from; k < end; k++) {
          rates += log.step(k).rate();
        }
        while (stream.steps() < at) {
          int k = (int) stream.steps();
          stream.step(log.step(k).rate(), log.gradient(k));
        }
        double[] root = setting.host(stream.state().get("exp_avg_sq")).toDoubles();
        for (int i = 0; i < root.length; i++) {
          root[i] = Math.sqrt(root[i] / (1 - Math.pow(log.options().beta2(), at))) + 1e-8;
        }
        step.addRequest(stream.theta(), (double) (end - from) / steps);
        step.addCurvature(stream.theta(), root, (double) (end - from) / steps, rates, done -> {});
        all += rates;
        from = end;
      }
      double[] delta = step.solve(all);
      for (int i = 0; i < theta.length; i++) {
        theta[i] += delta[i];
      }
    }
    return theta;
  }

  /** θ with a replay's difference. */
  double[] moved(Replayed replayed) {
    return moved(replayed.differences());
  }

  double[] moved(Tensor difference) {
    double[] theta = trained.clone();
    for (int i = 0; i < theta.length; i++) {
      theta[i] += difference.get(i);
    }
    return theta;
  }

  /**
   * How near parameters are to the retrained ones.
   *
   * @param forgotten part of the KL divergence to retraining that is closed on the requested rows
   * @param retained the same on retained rows
   * @param cosine of the parameters' change
   * @param residual Σ|ℓ − ℓ_retrained|/Σ|ℓ_trained − ℓ_retrained| over the requested rows
   */
  record Verdict(double forgotten, double retained, double cosine, double residual) {
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "closed %.3f/%.3f, cos %.3f, residual %.3f",
          forgotten, retained, cosine, residual);
    }
  }

  Verdict judge(double[] theta) {
    return new Verdict(
        closed(forgotten, theta),
        closed(retained, theta),
        cosine(theta),
        residual(theta));
  }

  private double closed(List<Sample> rows, double[] theta) {
    List<double[][]> target = setting.predictions(rows, retrained);
    double before = StudySetting.divergence(rows, target, setting.predictions(rows, trained));
    double after = StudySetting.divergence(rows, target, setting.predictions(rows, theta));
    return 1 - after / before;
  }

  private double cosine(double[] theta) {
    double inner = 0;
    double ours = 0;
    double theirs = 0;
    for (int i = 0; i < theta.length; i++) {
      double d = theta[i] - trained[i];
      double t = retrained[i] - trained[i];
      inner += d * t;
      ours += d * d;
      theirs += t * t;
    }
    return inner / Math.sqrt(ours * theirs);
  }

  private double residual(double[] theta) {
    double[] target = losses(retrained);
    double[] before = losses(trained);
    double[] after = losses(theta);
    double left = 0;
    double all = 0;
    for (int i = 0; i < target.length; i++) {
      left += Math.abs(after[i] - target[i]);
      all += Math.abs(before[i] - target[i]);
    }
    return left / all;
  }

  private double[] losses(double[] theta) {
    try (Scope scope = setting.backend.openScope("judge")) {
      Tensor at = scope.allocate(setting.backend.vectorType(), theta.length);
      setting.backend.upload(Tensor.of(Shape.of(theta.length), theta), at);
      return new DatasetLoss(setting.model, forgotten, BatchLimits.DEFAULT).losses(at);
    }
  }

  @Override
  public void close() {
    setting.close();
  }
}
