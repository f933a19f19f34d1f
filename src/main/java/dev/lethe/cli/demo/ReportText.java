package dev.lethe.cli.demo;

import dev.lethe.Text;
import java.util.ArrayList;
import java.util.List;

/** A {@link Report} as lines for people. */
public final class ReportText {
  private final List<String> lines = new ArrayList<>();

  private ReportText() {}

  /** The lines. */
  public static List<String> of(Report r) {
    ReportText text = new ReportText();
    text.head(r);
    r.tasks().forEach(task -> text.task(task, r.outerSteps()));
    text.tail(r);
    return text.lines;
  }

  private void head(Report r) {
    line("Lethe demo on %s, seed %d", r.device(), r.seed());
    line("");
    line("1. The base model: a Llama of two layers, %,d weights, made here. Trained on what everybody",
        r.base().weights());
    line("   knows about 8 people: %d steps, loss %.2f -> %.2f, %.1f s.",
        r.base().steps(), r.base().firstLoss(), r.base().lastLoss(), r.base().seconds());
    line("2. The adapter: rank %d on the last down_proj, %,d numbers. Learned the city, work and pet of %d",
        r.adapter().rank(), r.adapter().parameters(), r.adapter().people());
    line("   new people (%d rows with the known ones) in %.1f s. It lies at a minimum: the gradient of",
        r.adapter().rows(), r.adapter().seconds());
    line("   loss + %s/2*|theta|^2 has norm %.1e. That is where influence theory holds.",
        r.adapter().l2(), r.adapter().gradient());
    line("3. Unlearning, and training again without the rows from the same seed, to compare with.");
    line("   Loss: mean over a group's rows, in nats; high on forgotten rows is right as far as training");
    line("   again is as high.");
    line("");
    line("   %-21s %-12s %5s %10s %10s %10s",
        "request", "loss on", "rows", "original", "unlearned", "retrained");
  }

  private void task(Report.Task task, int outerSteps) {
    line("   %s", "-".repeat(73));
    String label = task.name();
    for (Report.Group g : task.groups()) {
      line("   %-21s %-12s %5d %10.3f %10.3f %10.3f",
          label, g.name(), g.rows(), g.original(), g.unlearned(), g.retrained());
      label = "";
    }
    line("   distance to the retrained model closed: %.0f %% by one step, %.0f %% by %d steps",
        100 * task.closedByOne(), 100 * task.closed(), outerSteps);
    line("   time: one step %.2f s, %d steps %.2f s, training again %.2f s",
        task.secondsOne(), outerSteps, task.seconds(), task.secondsRetraining());
    for (Report.Answer a : task.answers()) {
      line("   %-36s %-9s -> %-9s (retrained: %s)",
          a.question(), a.original(), a.unlearned(), a.retrained());
    }
  }

  private void tail(Report r) {
    line("");
    Report.AsTrained a = r.asTrained();
    line("4. Most adapters lie at no minimum. The same removal after %d epochs of AdamW (%d steps), by three methods:",
        a.epochs(), a.steps());
    line("   endpoint: one step from the end of training, all there is without a trajectory;");
    line("   recorded: the recorded training replayed without the rows, the default where there is one;");
    line("   exact: training again without them.");
    line("");
    line("   %-12s %14s %14s %18s %18s %8s",
        "method", "loss forgotten", "loss retained", "closed, forgotten", "closed, retained", "seconds");
    for (Report.Way way : a.ways()) {
      line("   %-12s %14.3f %14.3f %16.0f %% %16.0f %% %8.2f",
          way.name(), way.forgotten(), way.retained(), 100 * way.forgottenClosed(),
          100 * way.retainedClosed(), way.seconds());
    }
    line("   Fitting the operators of the replay took %.1f s, once for all requests. A model as small as this one trains",
        a.preparing());
    line("   in no time; what counts elsewhere is gradients: the replay takes those of the removed rows and of a few batches.");
    line("");
    line("Distance: mean KL divergence from the retrained model's predictions on all rows concerned.");
    line("Everything above took %.0f s. Train an adapter to a minimum with lethe train --to-minimum.",
        r.seconds());
  }

  private void line(String format, Object... values) {
    lines.add(Text.format(format, values).stripTrailing());
  }
}
