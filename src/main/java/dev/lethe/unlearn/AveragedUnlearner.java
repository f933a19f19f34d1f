package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.nn.HostTensors;
import dev.lethe.replay.AveragedStep;
import dev.lethe.replay.RowChange;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.RowEdits;
import dev.lethe.train.SavedStates;
import dev.lethe.train.StoredState;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingPlan;
import dev.lethe.trajectory.TrainingLog;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.UnlearnResult;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Unlearning by one step from averages over the training, for adapters that have a few states of it and no trajectory.
 * See {@link AveragedStep}.
 */
public final class AveragedUnlearner implements Unlearner {
  private static final String FIRST = "parameters";
  private static final String SECOND = "exp_avg_sq";

  private final UnlearnTask task;
  private final TrainingPlan plan;
  private final TrainOptions options;
  private final States states;
  private final Backend backend;

  private AveragedUnlearner(
      UnlearnTask task, TrainingPlan plan, TrainOptions options, States states) {
    options.requireMeanOverRows("one step from averages");
    this.task = task;
    this.plan = plan;
    this.options = options;
    this.states = states;
    this.backend = task.model().backend();
  }

  /** From the states that training left. */
  public static AveragedUnlearner of(
      UnlearnTask task, TrainOptions options, SavedStates.Reader saved) {
    TrainingPlan plan = TrainingPlan.of(task.request().data(), options);
    return new AveragedUnlearner(
        task, plan, options, sink -> saved.steps().forEach(k -> sink.accept(saved.state(k))));
  }

  /** From states that the trajectory replays to. */
  public static AveragedUnlearner of(UnlearnTask task, Recording recording) {
    States replayed = sink -> replay(task, recording, sink);
    return new AveragedUnlearner(
        task, recording.plan(), recording.log().options(), replayed);
  }

  private static void replay(UnlearnTask task, Recording recording, Sink sink) {
    TrainingLog log = recording.log();
    try (OptimizerReplay run =
        new OptimizerReplay(task.model().backend(), log.options(), log.initial())) {
      TreeSet<Long> where = new TreeSet<>();
      AveragedStep.WHERE.forEach(part -> where.add(Math.max(1, Math.round(part * log.steps()))));
      for (long step : where) {
        while (run.steps() < step) {
          int k = Math.toIntExact(run.steps());
          run.step(log.step(k).rate(), log.gradient(k));
        }
        sink.accept(run.stored(task.model().layout()));
      }
    }
  }

  @Override
  public UnlearnResult run(EraserMonitor monitor) {
    Stopwatch watch = new Stopwatch();
    ReplayPage page =
        new ReplayPage(
            task,
            new Method(
                "averaged",
                null,
                "one step from averages over the training: after a short training with AdamW it closes about"
                    + " two thirds of the distance to retraining on forgotten rows and two fifths on the others"),
            List.of());
    RowEdits edits = task.edits();
    if (edits.isEmpty()) {
      return Outcomes.unchanged(page, task, watch);
    }
    List<StoredState> all = new ArrayList<>();
    states.forEach(state -> all.add(copied(state)));
    List<RowChange> changes =
        task.request().effective().stream()
            .map(change -> RowChange.of(change.original(), change.replacement()))
            .toList();
    try (AveragedStep step =
        new AveragedStep(
            task.model(),
            task.request().target(),
            changes,
            task.request().rows(),
            task.measuring().limits())) {
      double rates = add(step, all, monitor, watch);
      monitor.onPhase("solve", 0);
      double[] delta = watch.products(() -> step.solve(rates));
      page.cost(new Cost(step.rowGradients(), plan.sampleGradients(edits), watch.total(), null));
      Tensor host = Tensor.of(Shape.of(delta.length), delta);
      return Outcomes.moved(page, task, host, List.of(), monitor, watch);
    }
  }

  /** The states stand for the steps nearest to them; returns the sum of all learning rates. */
  private double add(
      AveragedStep step, List<StoredState> all, EraserMonitor monitor, Stopwatch watch) {
    double[] shares = new double[all.size()];
    double[] rates = new double[all.size()];
    double sum = 0;
    for (long k = 0; k < plan.steps(); k++) {
      int nearest = 0;
      for (int j = 1; j < all.size(); j++) {
        if (Math.abs(all.get(j).step() - k) < Math.abs(all.get(nearest).step() - k)) {
          nearest = j;
        }
      }
      shares[nearest] += 1.0 / plan.steps();
      rates[nearest] += plan.step(k).rate();
      sum += plan.step(k).rate();
    }
    for (int j = 0; j < all.size(); j++) {
      StoredState state = all.get(j);
      double share = shares[j];
      double rate = rates[j];
      Outcomes.stopIfAsked(monitor);
      monitor.onPhase("gradients at step " + state.step(), 0);
      watch.gradients(
          () -> {
            try (Scope scope = backend.openScope("state")) {
              Tensor theta = vector(state, FIRST, scope);
              step.addRequest(theta, share);
              step.addCurvature(
                  theta, root(state, scope), share, rate, done -> Outcomes.stopIfAsked(monitor));
            }
            return null;
          });
    }
    return sum;
  }

  private Tensor vector(StoredState state, String name, Scope scope) {
    Map<String, Tensor> named = new HashMap<>();
    state.vectors()
        .forEach(
            (key, tensor) -> {
              if (key.startsWith(name + "/")) {
                named.put(key.substring(name.length() + 1), tensor);
              }
            });
    Tensor flat = scope.allocate(backend.vectorType(), task.model().layout().size());
    task.model().layout().fromHost(backend, named, flat, state.where() + ": " + name);
    return flat;
  }

  /** √v̂ + ε; ones without AdamW. */
  private double[] root(StoredState state, Scope scope) {
    double[] root = new double[Math.toIntExact(task.model().layout().size())];
    if (options.optimizer() == OptimizerKind.SGD) {
      Arrays.fill(root, 1);
      return root;
    }
    double[] v = HostTensors.download(backend, vector(state, SECOND, scope)).toDoubles();
    double correction = 1 - Math.pow(options.beta2(), state.step());
    for (int i = 0; i < root.length; i++) {
      root[i] = Math.sqrt(v[i] / correction) + options.epsilon();
    }
    return root;
  }

  private static StoredState copied(StoredState state) {
    Map<String, Tensor> vectors = new HashMap<>();
    state.vectors().forEach((name, tensor) -> vectors.put(name, HostTensors.copy(tensor)));
    return new StoredState(state.step(), vectors, state.where());
  }

  private interface Sink {
    void accept(StoredState state);
  }

  private interface States {
    void forEach(Sink sink);
  }
}
