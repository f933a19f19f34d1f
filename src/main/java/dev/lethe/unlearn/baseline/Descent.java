package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import dev.lethe.backend.Vectors;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Schedule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Minimises an objective of forgotten and retained rows with AdamW: every epoch goes over the forgotten rows once in an
 * order of its own, and each step has as many retained rows, drawn anew. The rate rises linearly
 * over the first epochs and then follows a schedule: by default a line down to 0.
 */
final class Descent {
  /**
   * The training of TOFU's forget.yaml (arXiv 2401.06121): AdamW, rate 1e-5, batches of 32, weight decay 0.01, one epoch
   * of warm-up, gradients clipped at 1 as transformers does by default; 5 epochs there, 10 in NPO's and in
   * open-unlearning's.
   *
   * @param epochs by default
   */
  static List<Setting> tofu(int epochs) {
    return List.of(
        Setting.positive("lr", 1e-5, "largest learning rate"),
        Setting.count("epochs", epochs, 1, "passes over the forgotten rows"),
        Setting.count("batch", 32, 1, "forgotten rows a step, and retained rows a step"),
        Setting.weight("weight-decay", 0.01, "of AdamW"),
        Setting.weight("warmup-epochs", 1, "epochs in which the rate rises"),
        Setting.weight("clip", 1, "largest norm of a step's gradient; 0: no limit"));
  }

  private final BaselineWork work;
  private final Settings settings;
  private final Schedule schedule;
  private final long steps;

  /** As many steps as the epochs need. */
  Descent(BaselineWork work, Settings settings) {
    this(work, settings, Schedule.LINEAR, epochSteps(work, settings) * settings.count("epochs"));
  }

  /** A number of steps. */
  Descent(BaselineWork work, Settings settings, Schedule schedule, long steps) {
    this.work = work;
    this.settings = settings;
    this.schedule = schedule;
    this.steps = steps;
  }

  private static long epochSteps(BaselineWork work, Settings settings) {
    return Math.ceilDiv(work.request().forgotten().size(), settings.count("batch"));
  }

  /** What is minimised. */
  @FunctionalInterface
  interface Objective {
    /**
     * Adds its gradient at θ to g.
     *
     * @param forgotten places among the request's forgotten rows
     * @param retained rows of the target data
     */
    void addGradient(int[] forgotten, List<Sample> retained, Tensor theta, Tensor g);
  }

  /** Changes θ (P). */
  void run(Tensor theta, Objective objective) {
    Vectors vectors = work.backend().vectors();
    int rows = work.request().forgotten().size();
    int batch = settings.count("batch");
    long epochSteps = epochSteps(work, settings);
    long warmup = Math.round(settings.number("warmup-epochs") * epochSteps);
    var adam = new VectorKernels.AdamW(0.9, 0.999, 1e-8, settings.number("weight-decay"));
    SplittableRandom random = new SplittableRandom(work.task().seed());
    work.phase("descent", steps);
    try (Scope scope = work.backend().openScope("descent")) {
      Tensor g = work.vector(scope);
      Tensor m = work.vector(scope);
      Tensor v = work.vector(scope);
      int[] order = new int[0];
      for (long step = 0; step < steps; step++) {
        int at = (int) (step % epochSteps) * batch;
        order = at == 0 ? shuffled(rows, random) : order;
        int[] members = Arrays.copyOfRange(order, at, Math.min(rows, at + batch));
        vectors.fill(g, 0);
        objective.addGradient(members, drawn(members.length, random), theta, g);
        clip(vectors, g);
        double rate = settings.number("lr") * schedule.factor(step, warmup, steps);
        vectors.adamW(adam, rate, step + 1, theta, g, m, v);
        work.done(step + 1);
      }
    }
  }

  private void clip(Vectors vectors, Tensor g) {
    double most = settings.number("clip");
    double norm = vectors.norm(g);
    requireFinite(norm);
    if (most > 0 && norm > most) {
      vectors.scale(most / norm, g);
    }
  }

  private static void requireFinite(double norm) {
    if (!Double.isFinite(norm)) {
      throw new LetheException(
          "descent", "the gradient is not finite", "a finite norm", Double.toString(norm),
          "Use a smaller lr or fewer epochs (--set), or the reference device.");
    }
  }

  private List<Sample> drawn(int count, SplittableRandom random) {
    List<Sample> target = work.request().target();
    List<Sample> drawn = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      drawn.add(target.get(random.nextInt(target.size())));
    }
    return drawn;
  }

  private static int[] shuffled(int n, SplittableRandom random) {
    int[] order = new int[n];
    for (int i = 0; i < n; i++) {
      int j = random.nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }
}
