package dev.lethe.unlearn;

import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.Certificate.Closure;
import dev.lethe.unlearn.Certificate.Cost;
import dev.lethe.unlearn.Certificate.Gradients;
import dev.lethe.unlearn.Certificate.Hashes;
import dev.lethe.unlearn.Certificate.Losses;
import dev.lethe.unlearn.Certificate.Method;
import dev.lethe.unlearn.Certificate.Replay;
import dev.lethe.unlearn.Certificate.Weights;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Collects the certificate of a method that follows the training. */
final class ReplayPage {
  /** A rise of the retained rows' loss by more than this part is harm. */
  private static final double HARM = 0.1;

  private final UnlearnTask task;
  private final DataSplit split;
  private final Method method;
  private final List<String> chain;
  private final String adapterBefore;
  private final List<String> warnings = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private Replay replay;
  private Closure closure;
  private Cost cost;
  private Gradients gradients = new Gradients(null, null, null, null, null, null);
  private Losses losses = new Losses(null, null, null, null);
  private Weights weights = new Weights(null, null);

  ReplayPage(UnlearnTask task, Method method, List<String> chain) {
    this.task = task;
    this.split = task.split();
    this.method = method;
    this.chain = chain;
    this.adapterBefore = task.model().adapter().sha256();
  }

  ReplayPage replay(Replay value) {
    replay = value;
    return this;
  }

  ReplayPage closure(Closure value) {
    closure = value;
    return this;
  }

  ReplayPage cost(Cost value) {
    cost = value;
    return this;
  }

  ReplayPage measured(Measurements value) {
    gradients = value.gradients();
    losses = value.losses();
    weights = value.weights();
    return this;
  }

  void warn(String format, Object... values) {
    warnings.add(String.format(Locale.ROOT, format, values));
  }

  void note(String format, Object... values) {
    notes.add(String.format(Locale.ROOT, format, values));
  }

  Certificate make(LoraAdapter unlearned, Stopwatch watch) {
    judge();
    return new Certificate(
        Certificate.FORMAT,
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        CertificateParts.environment(task.model().backend()),
        new Hashes(
            task.model().model().sha256(),
            TrainingRecord.dataSha256(task.data()),
            task.request().sha256(),
            adapterBefore,
            unlearned.sha256()),
        CertificateParts.asked(split),
        method,
        replay,
        null,
        List.of(),
        gradients,
        weights,
        losses,
        cost,
        closure,
        watch.times(),
        chain,
        warnings,
        notes);
  }

  private void judge() {
    long same =
        split.changes().stream().filter(c -> c.kind() == Change.Kind.UNCHANGED).count();
    if (same > 0) {
      note("%,d replacements say the same as their originals and change nothing", same);
    }
    if (split.effective().isEmpty()) {
      note("nothing was asked: nothing was computed and no parameter changed");
      return;
    }
    note(
        "the folder of the old adapter and the reversible step in this one still reveal the rows until they are"
            + " deleted");
    Certificate.Pair retained = losses.retained();
    if (retained != null && retained.after() > (1 + HARM) * retained.before()) {
      warn(
          "the loss on the retained rows rose from %.3g to %.3g: the step harms what was to stay",
          retained.before(), retained.after());
    }
  }
}
