package dev.lethe.train;

import dev.lethe.backend.Backend;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** Everything that the next step depends on besides data and options. */
final class TrainingState implements AutoCloseable {
  /** What θ is called in {@link #toHost}. */
  static final String PARAMETERS = "parameters";


  final Tensor theta;
  final Optimizer optimizer;
  final Tensor gradient;
  /** Steps of the plan done. */
  long step;

  /** Optimiser steps done: fewer where batches that have lost all their rows make none. */
  long updates;

  double learningRateSum;
  double lastLoss = Double.NaN;
  private final Backend backend;
  private final ParameterLayout layout;
  private final Scope scope;

  TrainingState(AdaptedModel model, TrainOptions options) {
    this.backend = model.backend();
    this.layout = model.layout();
    this.theta = model.adapter().theta();
    this.scope = backend.openScope("training");
    this.gradient = scope.allocate(backend.vectorType(), layout.size());
    this.optimizer = Optimizer.of(options, backend, scope, layout.size());
  }

  /** Host copies of θ and the optimiser's vectors by {@code <vector>/<parameter name>}. */
  Map<String, Tensor> toHost() {
    Map<String, Tensor> named = optimizerToHost();
    put(PARAMETERS, theta, named);
    return named;
  }

  Map<String, Tensor> optimizerToHost() {
    Map<String, Tensor> named = new LinkedHashMap<>();
    optimizer.state().forEach((vector, tensor) -> put(vector, tensor, named));
    return named;
  }

  private void put(String vector, Tensor tensor, Map<String, Tensor> named) {
    layout.toHost(backend, tensor).forEach((name, t) -> named.put(vector + "/" + name, t));
  }

  /** Overwrites θ and the optimiser's vectors; the reverse of {@link #toHost}. */
  void fromHost(Map<String, Tensor> named, String where) {
    take(PARAMETERS, theta, named, where);
    optimizer.state().forEach((vector, tensor) -> take(vector, tensor, named, where));
  }

  private void take(String vector, Tensor target, Map<String, Tensor> named, String where) {
    Map<String, Tensor> part = new LinkedHashMap<>();
    named.forEach(
        (name, tensor) -> {
          if (name.startsWith(vector + "/")) {
            part.put(name.substring(vector.length() + 1), tensor);
          }
        });
    layout.fromHost(backend, part, target, where + ": " + vector);
  }

  @Override
  public void close() {
    scope.close();
  }
}
