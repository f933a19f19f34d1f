package dev.lethe.train;

import dev.lethe.backend.Backend;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A training run's optimiser on gradients that were recorded: the same clipping and the same steps, without a
 * model. Given the gradients of the run, it passes through the run's own θₖ.
 */
public final class OptimizerReplay implements AutoCloseable {
  /** Vectors that it holds: the parameters, the gradient and the two of AdamW. */
  public static final int VECTORS = 4;

  private final Backend backend;
  private final double clip;
  private final Scope scope;
  private final Tensor theta;
  private final Tensor gradient;
  private final Optimizer optimizer;
  private long step;

  /**
   * @param options of the run; rates come with the steps
   * @param initial θ₀ (P), host memory
   */
  public OptimizerReplay(Backend backend, TrainOptions options, Tensor initial) {
    this.backend = backend;
    this.clip = options.clip();
    this.scope = backend.openScope("optimiser replay");
    try {
      this.theta = scope.allocate(backend.vectorType(), initial.elements());
      this.gradient = scope.allocate(backend.vectorType(), initial.elements());
      this.optimizer = Optimizer.of(options, backend, scope, initial.elements());
      backend.upload(initial, theta);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  /** θₖ (P) for k = {@link #steps}, on the backend; changed by every step. */
  public Tensor theta() {
    return theta;
  }

  /** The optimiser's vectors (P) on the backend by PyTorch's names; changed by every step. */
  public Map<String, Tensor> state() {
    return optimizer.state();
  }

  /** Steps done, k. */
  public long steps() {
    return step;
  }

  /**
   * One step.
   *
   * @param rate the step's learning rate
   * @param recorded gₖ (P) before clipping, host memory, any floating format
   */
  public void step(double rate, Tensor recorded) {
    backend.upload(recorded, gradient);
    step(rate);
  }

  /** The same along a gradient (P) on the backend, which stays as it is. */
  public void stepAlong(double rate, Tensor recorded) {
    backend.vectors().copy(recorded, gradient);
    step(rate);
  }

  private void step(double rate) {
    Trainer.clip(backend, clip, backend.vectors().norm(gradient), gradient);
    optimizer.step(rate, ++step, theta, gradient);
  }

  /** Whoever calls has made the step on {@link #theta} and {@link #state}, together with those of other runs. */
  public void stepped() {
    step++;
  }

  /** θₖ and the optimiser's vectors as a training's state, copied to host memory. */
  public StoredState stored(ParameterLayout layout) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    put(TrainingState.PARAMETERS, theta, layout, named);
    state().forEach((name, vector) -> put(name, vector, layout, named));
    return new StoredState(step, named, "replayed training, step " + step);
  }

  private void put(String vector, Tensor values, ParameterLayout layout, Map<String, Tensor> named) {
    layout.toHost(backend, values).forEach((name, t) -> named.put(vector + "/" + name, t));
  }

  /** Gives the vectors back; closing twice is harmless. */
  @Override
  public void close() {
    scope.close();
  }
}
