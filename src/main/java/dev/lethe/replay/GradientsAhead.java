package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.tensor.TensorBytes;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The changed rows' gradients of a replay, made by the model's workers for as many steps at a time as there are workers.
 * They depend on nothing but the recorded θₖ, which a second replay of the optimizer gives in advance. A step's gradient
 * is made whole by one worker, so its bytes are those of one machine.
 */
final class GradientsAhead implements RowGradients {
  private final TrainingLog log;
  private final List<ReplayRequest> requests;
  private final ModelGradients gradients;
  private final Backend backend;
  private final OptimizerReplay run;
  private final Map<Integer, TensorBytes> ready = new HashMap<>();

  GradientsAhead(TrainingLog log, List<ReplayRequest> requests, ModelGradients gradients, Backend backend) {
    this.log = log;
    this.requests = requests;
    this.gradients = gradients;
    this.backend = backend;
    this.run = new OptimizerReplay(backend, log.options(), log.initial());
  }

  @Override
  public void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out) {
    if (!ready.containsKey(step)) {
      make(step);
    }
    try (Scope scope = backend.openScope("changed rows")) {
      Tensor made = HostTensors.uploaded(backend, scope, ready.remove(step).tensor());
      backend.vectors().axpy(1, made, out);
    }
  }

  /** Makes those of a step and of the next ones that the requests touch. */
  private void make(int first) {
    ready.clear();
    List<ModelGradients.AtStep> next = new ArrayList<>();
    for (int k = first; k < log.steps() && next.size() < gradients.width(); k++) {
      StepChange change = StepChange.of(log.step(k), requests);
      if (change.touched()) {
        next.add(gradients.at(k, change.rows(), change.weightsOfTaken(), theta(k)));
      }
    }
    List<TensorBytes> made = gradients.of(next);
    for (int i = 0; i < next.size(); i++) {
      ready.put(next.get(i).step(), made.get(i));
    }
  }

  private TensorBytes theta(int k) {
    while (run.steps() < k) {
      int at = (int) run.steps();
      LoggedStep step = log.step(at);
      run.step(step.rate(), log.gradient(at));
    }
    return TensorBytes.of(HostTensors.download(backend, run.theta()));
  }

  @Override
  public void close() {
    run.close();
  }
}
