package dev.lethe.unlearn;

import dev.lethe.data.Sample;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.ShardedAdapter;
import dev.lethe.train.ShardedFolder;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.ExactStep;
import dev.lethe.unlearn.result.FolderPart;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Unlearning from a sharded training: the shards of the requested rows are trained again without them, and the others
 * stay. To the bit what the same sharded training on the remaining rows makes.
 */
public final class SisaUnlearner implements Unlearner, AutoCloseable {
  private static final String WORTH =
      "exact: the bytes of the same sharded training on the remaining rows. It says nothing of an adapter that is"
          + " trained on all rows together, which is another one";

  private final UnlearnTask task;
  private final ShardedAdapter sharded;
  private final String promptForm;
  private ShardedAdapter next;

  /**
   * @param sharded the training of the task's adapter, taken over
   * @param promptForm how rows became tokens, in words
   */
  public SisaUnlearner(UnlearnTask task, ShardedAdapter sharded, String promptForm) {
    this.task = task;
    this.sharded = sharded;
    this.promptForm = promptForm;
  }

  /** Does it; the result writes its shards until this is closed. */
  @Override
  public UnlearnResult run(EraserMonitor monitor) {
    Stopwatch watch = new Stopwatch();
    Set<Integer> touched =
        sharded.of(task.request().effective().stream().map(change -> change.original().id()).toList());
    ReplayPage page =
        new ReplayPage(task, new Method("sisa", null, WORTH, settings(touched)), task.request().earlier().chain());
    List<Sample> target = task.request().target();
    monitor.onSteps("training shards again", sharded.steps(touched, target));
    next = watch.gradients(() -> sharded.trained(touched, target, task.model(), new Watching(monitor)));
    if (next == null) {
      throw new UnlearnInterrupted(null);
    }
    page.cost(cost(touched, watch));
    LoraAdapter mean = next.mean();
    boolean done = false;
    try {
      ExactStep step = ExactStep.to(HostTensors.download(task.model().adapter()), HostTensors.download(mean));
      FolderPart shards = dir -> ShardedFolder.write(dir, next, mean, task.request().key(), promptForm);
      UnlearnResult result = Outcomes.arrived(page, task, mean, step, List.of(shards), monitor, watch);
      done = true;
      return result;
    } finally {
      if (!done) {
        mean.close();
      }
    }
  }

  private Map<String, String> settings(Set<Integer> touched) {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("shards", Integer.toString(sharded.shards().count()));
    settings.put("trained again", touched.stream().map(String::valueOf).collect(Collectors.joining(" ")));
    return settings;
  }

  private Cost cost(Set<Integer> touched, Stopwatch watch) {
    List<Sample> target = task.request().target();
    long taken = sharded.sampleGradients(touched, target);
    long all = sharded.sampleGradients(sharded.all(), target);
    return new Cost(taken, all, watch.total(), taken == 0 ? null : watch.total() * all / taken);
  }

  @Override
  public void close() {
    sharded.close();
    if (next != null) {
      next.close();
    }
  }

  /** Shows the shards' trainings as one. */
  private static final class Watching implements TrainMonitor {
    private final EraserMonitor monitor;
    private long steps;

    Watching(EraserMonitor monitor) {
      this.monitor = monitor;
    }

    @Override
    public void onStep(StepLog log) {
      monitor.onRows(++steps);
    }

    @Override
    public boolean interrupted() {
      return monitor.interrupted();
    }
  }
}
