package dev.lethe.unlearn;

import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.Certificate.Gradients;
import dev.lethe.unlearn.Certificate.Hashes;
import dev.lethe.unlearn.Certificate.Losses;
import dev.lethe.unlearn.Certificate.LinearSystem;
import dev.lethe.unlearn.Certificate.OuterStep;
import dev.lethe.unlearn.Certificate.Pair;
import dev.lethe.unlearn.Certificate.Weights;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Collects what a run finds out, and judges it. */
final class CertificateMaker {
  /** Above this ratio of the trained gradient to b an adapter counts as far from a minimum. */
  static final double RESTLESS = 0.1;

  /**
   * A step of more than this part of the adapter's own weights leaves the linear estimate's range.
   */
  private static final double LARGE_STEP = 0.5;

  /** A rise of the retained rows' loss by more than this part is harm. */
  private static final double HARM = 0.1;

  /** Measured in docs/unlearning.md. */
  private static final String WORTH =
      "an estimate from the end of training alone: after a short training with AdamW it closes about a third of the"
          + " distance to retraining on forgotten rows and a tenth on the others; recorded replay needs the training's"
          + " trajectory and closes far more";

  private final AdaptedModel model;
  private final List<Sample> data;
  private final UnlearnRequest request;
  private final DataSplit split;
  private EraserOptions options;
  private final String adapterBefore;
  private final String dataHash;
  private final List<String> warnings = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private boolean released;
  private Objectives.Means before;
  private Gradients gradients = new Gradients(null, null, null, null, null, null);
  private Losses losses = new Losses(null, null, null, null);
  private Weights weights = new Weights(null, null);

  /** The training record is null where there is none. */
  CertificateMaker(
      AdaptedModel model,
      List<Sample> data,
      UnlearnRequest request,
      TrainingRecord record) {
    this.model = model;
    this.data = data;
    this.request = request;
    this.split = request.split(data);
    this.adapterBefore = model.adapter().sha256();
    this.dataHash = TrainingRecord.dataSha256(data);
    if (record != null) {
      agree("model", record.modelSha256(), model.model().sha256());
      agree("data", record.dataSha256(), dataHash);
      agree("adapter", record.adapterSha256(), adapterBefore);
    }
  }

  private void agree(String what, String trained, String here) {
    if (!trained.equals(here)) {
      warn(
          "the %s is not the one of the training record (%.12s… there, %.12s… here)",
          what, trained, here);
    }
  }

  /** The norms of the trained and of the target objective's gradient are null where not measured. */
  void before(
      Double trained,
      Double target,
      double requested,
      Objectives objectives,
      Objectives.Means means) {
    gradients =
        new Gradients(
            (long) objectives.targetRows(),
            trained,
            target,
            null,
            requested,
            trained == null ? null : trained / requested);
    before = means;
  }

  void after(Double target, Objectives objectives, Objectives.Means after) {
    gradients =
        new Gradients(
            gradients.targetRows(),
            gradients.trainedBefore(),
            gradients.targetBefore(),
            target,
            gradients.request(),
            gradients.unrest());
    losses = objectives.losses(before, after);
  }

  /** Measures the step and the adapter by what they do to the weights. */
  void sizes(Tensor start, Tensor end) {
    weights = CertificateParts.weights(model, start, end);
  }

  void released() {
    released = true;
  }

  /** The certificate of a run that used these options. */
  Certificate make(
      LoraAdapter unlearned, EraserOptions used, List<OuterStep> steps, Stopwatch watch) {
    options = used;
    judge(steps);
    return new Certificate(
        Certificate.FORMAT,
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        CertificateParts.environment(model.backend()),
        new Hashes(
            model.model().sha256(),
            dataHash,
            request.sha256(),
            adapterBefore,
            unlearned.sha256()),
        CertificateParts.asked(split),
        new Certificate.Method("influence", null, WORTH),
        null,
        split.effective().isEmpty() ? null : system(),
        steps,
        gradients,
        weights,
        losses,
        null,
        null,
        watch.times(),
        List.of(),
        warnings,
        notes);
  }

  private void judge(List<OuterStep> steps) {
    long same =
        split.changes().stream().filter(c -> c.kind() == Change.Kind.UNCHANGED).count();
    if (same > 0) {
      note("%,d replacements say the same as their originals and change nothing", same);
    }
    if (split.effective().isEmpty()) {
      note("nothing was asked: nothing was computed and no parameter changed");
      return;
    }
    if (released) {
      warn(
          "this is the procedure of the code released with LLMEraser, for comparison only: it does"
              + " not solve its system");
    }
    for (OuterStep step : steps) {
      if (!released && !step.converged()) {
        warn(
            "step %d stopped at residual %.2e above the tolerance %.0e: %s",
            step.step(), step.residual(), options.solving().tolerance(), step.stop());
      }
    }
    judgeGradients();
    if (weights.step() > LARGE_STEP * weights.adapter()) {
      warn(
          "the step is %.0f %% of the adapter's own weights: too far for a linear estimate; use a"
              + " larger damping or train again",
          100 * weights.step() / weights.adapter());
    }
    judgeLosses();
  }

  private void judgeLosses() {
    Pair forgotten = losses.forgotten();
    if (forgotten != null && forgotten.after() <= forgotten.before()) {
      warn("the loss on the forgotten rows did not rise");
    }
    Pair replacements = losses.replacements();
    if (replacements != null && replacements.after() >= replacements.before()) {
      warn("the loss on the replacements did not fall");
    }
    Pair retained = losses.retained();
    if (retained != null && retained.after() > (1 + HARM) * retained.before()) {
      warn(
          "the loss on the retained rows rose from %.3g to %.3g: the step harms what was to stay; use"
              + " a larger damping than %.3g",
          retained.before(), retained.after(), options.damping());
    }
  }

  private void judgeGradients() {
    if (gradients.targetBefore() == null) {
      note(
          "the gradient of the target objective and the loss on the retained rows were not"
              + " measured: nothing here says whether the step harms what was to stay");
      return;
    }
    judgeUnrest();
    boolean aimsLower = !released && gradients.unrest() <= RESTLESS;
    if (aimsLower && gradients.targetAfter() > gradients.targetBefore()) {
      warn(
          "the gradient of the target objective grew: the step went too far; use a larger damping");
    }
    if (gradients.targetRows() < split.target().size()) {
      note(
          "gradients and the loss on the retained rows are measured over drawn rows: the gradient"
              + " over all rows is smaller as a rule, the more so near a minimum");
    }
  }

  private void judgeUnrest() {
    boolean towardsMinimum =
        options.outerSteps() > 1 && options.outerTarget() == EraserOptions.OuterTarget.MINIMUM;
    if (gradients.unrest() <= RESTLESS) {
      return;
    }
    if (towardsMinimum) {
      warn(
          "the adapter is not near a minimum (its gradient is %.2g of the request's), so the outer"
              + " steps after the first go on training it; --outer-target anchored does not",
          gradients.unrest());
    } else {
      note(
          "the adapter is not near a minimum (its gradient is %.2g of the request's): the estimate"
              + " is of the change alone, and rests on the damping",
          gradients.unrest());
    }
  }

  private LinearSystem system() {
    int rows = DrawnRows.ofCurvature(data, split, options).samples().size();
    return new LinearSystem(
        options.solver(),
        released ? "hessian of single rows with dropout" : options.curvature().label(),
        CertificateParts.label(options.curvatureData()),
        rows,
        options.damping(),
        options.dampingFrom(),
        options.weightDecay(),
        options.solving().tolerance(),
        options.solving().maxIterations(),
        options.outerSteps(),
        CertificateParts.label(options.outerTarget()),
        options.solving().seed());
  }

  private void warn(String format, Object... values) {
    warnings.add(String.format(Locale.ROOT, format, values));
  }

  private void note(String format, Object... values) {
    notes.add(String.format(Locale.ROOT, format, values));
  }
}
