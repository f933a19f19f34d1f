package dev.lethe.unlearn;

import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.certificate.Certificate.Gradients;
import dev.lethe.unlearn.certificate.Certificate.Hashes;
import dev.lethe.unlearn.certificate.Certificate.Losses;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.certificate.Certificate.Pair;
import dev.lethe.unlearn.certificate.Certificate.Weights;
import dev.lethe.unlearn.certificate.Verdict;
import dev.lethe.unlearn.request.UnlearnRequest;

/** Judges an {@link Eraser}'s run by what it measured, and by nothing else. */
final class EraserVerdict {
  /** Above this ratio of the trained gradient to b an adapter counts as far from a minimum. */
  static final double RESTLESS = 0.1;

  /** A step of more than this part of the adapter's own weights leaves the linear estimate's range. */
  private static final double LARGE_STEP = 0.5;

  /** A rise of the retained rows' loss by more than this part is harm. */
  static final double HARM = 0.1;

  private final UnlearnRequest request;
  private final EraserFindings found;
  private final EraserOptions options;
  private final Verdict.Builder verdict = new Verdict.Builder();

  private EraserVerdict(UnlearnRequest request, EraserFindings found) {
    this.request = request;
    this.found = found;
    this.options = found.options();
  }

  /**
   * The verdict.
   *
   * @param hashes of what the run worked on
   * @param record of the adapter's training; null where there is none
   */
  static Verdict of(
      UnlearnRequest request, EraserFindings found, Hashes hashes, TrainingRecord record) {
    EraserVerdict judge = new EraserVerdict(request, found);
    if (record != null) {
      judge.agree("model", record.modelSha256(), hashes.model());
      judge.agreeData(record);
      judge.agree("adapter", record.adapterSha256(), hashes.adapterBefore());
      if (record.promptForm() != null) {
        judge.verdict.note("prompt form of the training: %s", record.promptForm());
      }
    }
    if (judge.verdict.request(request)) {
      judge.steps();
      judge.gradients(found.measured().gradients());
      judge.size(found.measured().weights());
      judge.losses(found.measured().losses());
    }
    return judge.verdict.build();
  }

  private void agree(String what, String trained, String here) {
    if (!trained.equals(here)) {
      verdict.warn(
          "the %s is not the one of the training record (%.12s… there, %.12s… here)",
          what, trained, here);
    }
  }

  private void agreeData(TrainingRecord record) {
    switch (record.match(request.data())) {
      case OTHER -> verdict.warn("the data is not the one of the training record");
      case UNKNOWN ->
          verdict.note(
              "nobody can tell whether the data are those of the training record: its key (%s) is not beside it",
              record.digest().keyId());
      case SAME -> {}
    }
  }

  private void steps() {
    if (options.released()) {
      verdict.warn(
          "this is the procedure of the code released with LLMEraser, for comparison only: it does"
              + " not solve its system");
      return;
    }
    for (OuterStep step : found.steps()) {
      if (!step.converged()) {
        verdict.warn(
            "step %d stopped at residual %.2e above the tolerance %.0e: %s",
            step.step(), step.residual(), options.solving().tolerance(), step.stop());
      }
    }
  }

  private void gradients(Gradients gradients) {
    if (gradients.targetBefore() == null) {
      verdict.note(
          "the gradient of the target objective and the loss on the retained rows were not"
              + " measured: nothing here says whether the step harms what was to stay");
      return;
    }
    unrest(gradients.unrest());
    boolean aimsLower =
        !options.released() && gradients.unrest() != null && gradients.unrest() <= RESTLESS;
    if (aimsLower && gradients.targetAfter() > gradients.targetBefore()) {
      verdict.warn(
          "the gradient of the target objective grew: the step went too far; use a larger damping");
    }
    if (gradients.targetRows() < request.target().size()) {
      verdict.note(
          "gradients and the loss on the retained rows are measured over drawn rows: the gradient"
              + " over all rows is smaller as a rule, the more so near a minimum");
    }
  }

  private void unrest(Double unrest) {
    if (unrest == null) {
      verdict.note(
          "the gradient that the request asks for is 0, so nothing tells how near the adapter is to a minimum"
              + " (unrest is null)");
      return;
    }
    if (unrest <= RESTLESS) {
      return;
    }
    boolean towardsMinimum =
        options.outerSteps() > 1 && options.outerTarget() == EraserOptions.OuterTarget.MINIMUM;
    if (towardsMinimum) {
      verdict.warn(
          "the adapter is not near a minimum (its gradient is %.2g of the request's), so the outer"
              + " steps after the first go on training it; --outer-target anchored does not",
          unrest);
    } else {
      verdict.note(
          "the adapter is not near a minimum (its gradient is %.2g of the request's): the estimate"
              + " is of the change alone, and rests on the damping",
          unrest);
    }
  }

  private void size(Weights weights) {
    if (weights.adapter() == 0) {
      verdict.note(
          "the adapter's own weights are 0: it had changed nothing of the base model, so there is no measure for the"
              + " size of the step");
    } else if (weights.step() > LARGE_STEP * weights.adapter()) {
      verdict.warn(
          "the step is %.0f %% of the adapter's own weights: too far for a linear estimate; use a"
              + " larger damping or train again",
          100 * weights.step() / weights.adapter());
    }
  }

  private void losses(Losses losses) {
    Pair forgotten = losses.forgotten();
    if (forgotten != null && forgotten.after() <= forgotten.before()) {
      verdict.warn("the loss on the forgotten rows did not rise");
    }
    Pair replacements = losses.replacements();
    if (replacements != null && replacements.after() >= replacements.before()) {
      verdict.warn("the loss on the replacements did not fall");
    }
    Pair retained = losses.retained();
    if (retained != null && retained.after() > (1 + HARM) * retained.before()) {
      verdict.warn(
          "the loss on the retained rows rose from %.3g to %.3g: the step harms what was to stay; use"
              + " a larger damping than %.3g",
          retained.before(), retained.after(), options.damping());
    }
  }
}
