package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.replay.ReplayStart;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.RowEdits;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingResult;
import dev.lethe.train.TrainingSink;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import java.util.HashMap;
import java.util.Map;

/** The recorded training done again with other rows, or its first steps. */
final class Retraining {
  private final AdaptedModel model;
  private final Recording recording;
  private final RowEdits edits;
  private final Backend backend;

  Retraining(AdaptedModel model, Recording recording, RowEdits edits) {
    this.model = model;
    this.recording = recording;
    this.edits = edits;
    this.backend = model.backend();
  }

  /**
   * Retrains the first steps.
   *
   * @param sink takes their gradients; null for none
   * @throws UnlearnInterrupted where the monitor asked for it
   */
  ReplayStart head(int steps, TrainingSink sink, EraserMonitor monitor) {
    try (LoraAdapter adapter = model.adapter().copy()) {
      backend.upload(recording.log().initial(), adapter.theta());
      TrainingResult result =
          trainer(adapter, new Until(steps, monitor))
              .keep(sink == null ? TrainingSink.NONE : sink)
              .run(null, false);
      Outcomes.stopIfAsked(monitor);
      Map<String, Tensor> state = result.optimizerState();
      boolean adamW = recording.log().options().optimizer() == OptimizerKind.ADAMW;
      return new ReplayStart(
          steps,
          result.record().steps(),
          row(HostTensors.download(adapter)),
          row(flat(state, adamW ? "exp_avg" : "momentum_buffer")),
          adamW ? row(flat(state, "exp_avg_sq")) : null);
    }
  }

  /** A trainer that follows the recorded plan. */
  Trainer trainer(LoraAdapter adapter, TrainMonitor listener) {
    return new Trainer(
        model.with(adapter),
        recording.plan(),
        recording.log().options(),
        edits,
        listener);
  }

  private static Tensor row(Tensor vector) {
    return vector.reshape(1, vector.elements());
  }

  /** One of the optimiser's vectors, host (P). */
  private Tensor flat(Map<String, Tensor> state, String vector) {
    Map<String, Tensor> named = new HashMap<>();
    state.forEach(
        (name, tensor) -> {
          if (name.startsWith(vector + "/")) {
            named.put(name.substring(vector.length() + 1), tensor);
          }
        });
    ParameterLayout layout = model.layout();
    try (Scope scope = backend.openScope(vector)) {
      Tensor flat = scope.allocate(backend.vectorType(), layout.size());
      layout.fromHost(backend, named, flat, "retraining: " + vector);
      return HostTensors.download(backend, flat);
    }
  }

  /** Ends a training after some steps, or when the monitor wants it. */
  static final class Until implements TrainMonitor {
    private final long last;
    private final EraserMonitor monitor;
    private long done;

    Until(long last, EraserMonitor monitor) {
      this.last = last;
      this.monitor = monitor;
    }

    @Override
    public void onStep(StepLog log) {
      done = log.step();
      monitor.onRows(done);
    }

    @Override
    public boolean interrupted() {
      return done >= last || monitor.interrupted();
    }
  }
}
