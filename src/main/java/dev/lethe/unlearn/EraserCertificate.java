package dev.lethe.unlearn;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.certificate.Certificate.Hashes;
import dev.lethe.unlearn.certificate.Certificate.LinearSystem;
import dev.lethe.unlearn.certificate.CertificateParts;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.certificate.Verdict;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** The certificate of an {@link Eraser}'s run. */
final class EraserCertificate {
  /** Measured in docs/unlearning.md. */
  private static final String WORTH =
      "an estimate from the end of training alone: after a short training with AdamW it closes about a third of the"
          + " distance to retraining on forgotten rows and a tenth on the others; recorded replay needs the training's"
          + " trajectory and closes far more";

  private EraserCertificate() {}

  /**
   * Writes it.
   *
   * @param model with the old adapter
   * @param unlearned the new one
   * @param record of the old adapter's training; null where there is none
   */
  static Certificate of(
      AdaptedModel model,
      LoraAdapter unlearned,
      UnlearnRequest request,
      EraserFindings found,
      TrainingRecord record,
      Stopwatch watch) {
    Hashes hashes =
        CertificateParts.hashes(model.model(), request, model.adapter().sha256(), unlearned.sha256());
    Verdict verdict = EraserVerdict.of(request, found, hashes, record).with(model.model());
    return new Certificate(
        Certificate.FORMAT,
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        CertificateParts.environment(model.backend()),
        hashes,
        CertificateParts.asked(request),
        new Certificate.Method("influence", null, WORTH),
        null,
        request.effective().isEmpty() ? null : system(found.options(), found.curvatureRows()),
        found.steps(),
        found.measured().gradients(),
        found.measured().weights(),
        found.measured().losses(),
        request.effective().isEmpty() ? null : InfluenceCost.of(model, request, found, record, watch),
        null,
        watch.times(),
        request.earlier().chain(),
        verdict.warnings(),
        verdict.notes());
  }

  private static LinearSystem system(EraserOptions options, int rows) {
    return new LinearSystem(
        options.solver(),
        options.released() ? "hessian of single rows with dropout" : options.curvature().label(),
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
}
