package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.ExactStep;
import dev.lethe.unlearn.result.FolderPart;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.util.List;

/** Turns what a method found into a result. */
final class Outcomes {
  private static final String REPLAY_REMEDY =
      "Retrain more of the training's head (--exact-head), or use --method exact.";

  private Outcomes() {}

  /** Nothing was asked. */
  static UnlearnResult unchanged(ReplayPage page, UnlearnTask task, Stopwatch watch) {
    LoraAdapter adapter = task.model().adapter().copy();
    return new UnlearnResult(
        adapter,
        ExactStep.none(HostTensors.download(adapter)),
        false,
        page.make(adapter, watch),
        task.request(),
        List.of(),
        null);
  }

  /**
   * The adapter moves.
   *
   * @param difference host (P)
   */
  static UnlearnResult moved(
      ReplayPage page,
      UnlearnTask task,
      Tensor difference,
      List<FolderPart> parts,
      EraserMonitor monitor,
      Stopwatch watch) {
    Backend backend = task.model().backend();
    LoraAdapter adapter = task.model().adapter().copy();
    boolean done = false;
    try (Scope scope = backend.openScope("unlearned adapter")) {
      Tensor step = scope.allocate(backend.vectorType(), difference.elements());
      backend.upload(difference, step);
      backend.vectors().axpy(1, step, adapter.theta());
      UnlearnResult result = settled(page, task, adapter, parts, REPLAY_REMEDY, monitor, watch);
      done = true;
      return result;
    } finally {
      if (!done) {
        adapter.close();
      }
    }
  }

  /**
   * The adapter has its new parameters to within the last bit, which may change, so that the step leads to them exactly.
   *
   * @param adapter taken over by the result
   * @param remedy what to do where they are not finite
   */
  static UnlearnResult settled(
      ReplayPage page,
      UnlearnTask task,
      LoraAdapter adapter,
      List<FolderPart> parts,
      String remedy,
      EraserMonitor monitor,
      Stopwatch watch) {
    Backend backend = task.model().backend();
    requireFinite(backend, adapter, remedy);
    Tensor after = HostTensors.download(adapter);
    ExactStep exact = ExactStep.between(HostTensors.download(task.model().adapter()), after);
    backend.upload(after, adapter.theta());
    return arrived(page, task, adapter, exact, parts, monitor, watch);
  }

  /**
   * The adapter has its new parameters.
   *
   * @param adapter taken over by the result
   */
  static UnlearnResult arrived(
      ReplayPage page,
      UnlearnTask task,
      LoraAdapter adapter,
      ExactStep step,
      List<FolderPart> parts,
      EraserMonitor monitor,
      Stopwatch watch) {
    stopIfAsked(monitor);
    monitor.onPhase("losses", task.measuring().rows() == 0 ? 0 : task.request().rows());
    page.measured(
        watch.evaluation(
            () ->
                Measurements.of(
                    task,
                    task.model().adapter().theta(),
                    adapter.theta(),
                    done -> done(monitor, done))));
    return new UnlearnResult(adapter, step, true, page.make(adapter, watch), task.request(), parts, null);
  }

  private static void requireFinite(Backend backend, LoraAdapter adapter, String remedy) {
    if (!backend.vectors().allFinite(adapter.theta())) {
      throw new LetheException(
          "unlearning",
          "the new parameters are not finite",
          "finite numbers",
          "NaN or infinity",
          remedy);
    }
  }

  static void done(EraserMonitor monitor, int done) {
    stopIfAsked(monitor);
    monitor.onRows(done);
  }

  static void stopIfAsked(EraserMonitor monitor) {
    if (monitor.interrupted()) {
      throw new UnlearnInterrupted(null);
    }
  }
}
