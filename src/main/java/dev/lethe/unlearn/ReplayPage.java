package dev.lethe.unlearn;

import dev.lethe.nn.LoraAdapter;
import dev.lethe.trajectory.TrainingLog;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.certificate.Certificate.Closure;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.Certificate.Replay;
import dev.lethe.unlearn.certificate.CertificateParts;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.certificate.Verdict;
import dev.lethe.unlearn.request.UnlearnTask;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** Collects the certificate of a method that follows the training. */
final class ReplayPage {
  private final UnlearnTask task;
  private final Method method;
  private final List<String> chain;
  private final String adapterBefore;
  private final Verdict.Builder verdict = new Verdict.Builder();
  private Replay replay;
  private Closure closure;
  private Cost cost;
  private Measurements measured = Measurements.NONE;

  ReplayPage(UnlearnTask task, Method method, List<String> chain) {
    this.task = task;
    this.method = method;
    this.chain = chain;
    this.adapterBefore = task.model().adapter().sha256();
  }

  /** Notes how the rows of a recorded training became tokens. */
  ReplayPage trainedBy(TrainingLog log) {
    if (log instanceof Trajectory trajectory) {
      note("prompt form of the training: %s", trajectory.provenance().promptForm());
    }
    return this;
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
    measured = value;
    return this;
  }

  void note(String format, Object... values) {
    verdict.note(format, values);
  }

  void warn(String format, Object... values) {
    verdict.warn(format, values);
  }

  Certificate make(LoraAdapter unlearned, Stopwatch watch) {
    Verdict judged = judge().with(task.model().model());
    return new Certificate(
        Certificate.FORMAT,
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        CertificateParts.environment(task.model().backend()),
        CertificateParts.hashes(task.model().model(), task.request(), adapterBefore, unlearned.sha256()),
        CertificateParts.asked(task.request()),
        method,
        replay,
        null,
        List.of(),
        measured.gradients(),
        measured.weights(),
        measured.losses(),
        cost,
        closure,
        watch.times(),
        chain,
        judged.warnings(),
        judged.notes());
  }

  private Verdict judge() {
    if (!verdict.request(task.request())) {
      return verdict.build();
    }
    verdict.note(
        "the folder of the old adapter and the reversible step in this one still reveal the rows until they are"
            + " deleted");
    Certificate.Pair retained = measured.losses().retained();
    if (retained != null && retained.after() > (1 + EraserVerdict.HARM) * retained.before()) {
      verdict.warn(
          "the loss on the retained rows rose from %.3g to %.3g: the step harms what was to stay",
          retained.before(), retained.after());
    }
    return verdict.build();
  }
}
