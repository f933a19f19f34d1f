package dev.lethe.unlearn;

import dev.lethe.curvature.Ekfac;
import dev.lethe.data.Sample;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingPlan;
import dev.lethe.unlearn.baseline.Baseline;
import dev.lethe.unlearn.baseline.BaselineMonitor;
import dev.lethe.unlearn.baseline.BaselineTask;
import dev.lethe.unlearn.baseline.BaselineWork;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.UnlearnResult;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Unlearning by a published method, for comparison. */
public final class BaselineUnlearner implements Unlearner {
  private static final String WORTH = "; made for comparison: nothing says how near to training again it comes, assess does";

  private static final String REMEDY = "Use a smaller lr or step, or fewer epochs (--set).";

  private final UnlearnTask task;
  private final Baseline baseline;
  private final List<Sample> preferred;
  private final Long retraining;
  private Supplier<Optional<Ekfac>> prepared = Optional::empty;

  /**
   * @param preferred see {@link BaselineTask}
   * @param training how the adapter was trained, for the certificate's costs; null where that is not known
   */
  public BaselineUnlearner(UnlearnTask task, Baseline baseline, List<Sample> preferred, TrainOptions training) {
    this.task = task;
    this.baseline = baseline;
    this.preferred = List.copyOf(preferred);
    this.retraining =
        training == null
            ? null
            : TrainingPlan.of(task.request().data(), training).sampleGradients(task.edits());
  }

  /** Curvature that was made once for all requests, see {@link BaselineTask}; none by default. */
  public BaselineUnlearner prepared(Supplier<Optional<Ekfac>> curvature) {
    this.prepared = curvature;
    return this;
  }

  @Override
  public UnlearnResult run(EraserMonitor monitor) {
    Stopwatch watch = new Stopwatch();
    ReplayPage page =
        new ReplayPage(
            task,
            new Method(baseline.name(), null, baseline.source() + WORTH, baseline.settings().labels()),
            task.request().earlier().chain());
    if (task.edits().isEmpty()) {
      return Outcomes.unchanged(page, task, watch);
    }
    BaselineTask asked =
        new BaselineTask(
            task.model(), task.request(), preferred, task.measuring().seed(), task.measuring().limits(), prepared);
    BaselineWork work = new BaselineWork(asked, new Watching(monitor));
    LoraAdapter adapter = task.model().adapter().copy();
    boolean done = false;
    try {
      watch.gradients(
          () -> {
            baseline.apply(work, adapter);
            return null;
          });
      work.notes().forEach(note -> page.note("%s", note));
      page.cost(new Cost(work.sampleGradients(), retraining, watch.total(), seconds(work, watch)));
      UnlearnResult result = Outcomes.settled(page, task, adapter, List.of(), REMEDY, monitor, watch);
      done = true;
      return result;
    } finally {
      if (!done) {
        adapter.close();
      }
    }
  }

  private Double seconds(BaselineWork work, Stopwatch watch) {
    return retraining == null || work.sampleGradients() == 0
        ? null
        : watch.total() * retraining / work.sampleGradients();
  }

  private record Watching(EraserMonitor monitor) implements BaselineMonitor {
    @Override
    public void onPhase(String phase, long steps) {
      if (steps > 0) {
        monitor.onSteps(phase, steps);
      } else {
        monitor.onPhase(phase, 0);
      }
    }

    @Override
    public void onDone(long steps) {
      monitor.onRows(steps);
    }

    @Override
    public boolean interrupted() {
      return monitor.interrupted();
    }
  }
}
